#!/bin/bash
# A Ray cluster in a Slurm job: the head and the driver on the first node, workers on all.
#   sbatch --nodes 4 docker/slurm.sh extract /shared/photos --backbone xception
#SBATCH --job-name=manyheads
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --signal=B:INT@120
set -euo pipefail

port=$((20000 + SLURM_JOB_ID % 20000))
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}')

# A token of this job's own, in a folder that only its user reads and all its nodes see.
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
export RAY_AUTH_TOKEN_PATH=$HOME/.manyheads-$SLURM_JOB_ID.token
(umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$RAY_AUTH_TOKEN_PATH")
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT

# Short, because sockets have names of at most 107 bytes; on each node's own disk.
temporary=/tmp/mh-$SLURM_JOB_ID
how=(--block --disable-usage-stats --num-cpus "$SLURM_CPUS_PER_TASK" --temp-dir "$temporary")

srun --nodes=1 --ntasks=1 --overlap --nodelist="$head" \
    ray start --head --node-ip-address "$address" --port "$port" --include-dashboard false \
    "${how[@]}" &
for _ in $(seq 60); do
    (: >"/dev/tcp/$address/$port") 2>/dev/null && break
    sleep 1
done
if ((SLURM_JOB_NUM_NODES > 1)); then
    srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --overlap \
        --exclude="$head" ray start --address "$address:$port" "${how[@]}" &
fi

# Where the time ends, Slurm's signal stops the driver: the same job goes on from the cache.
srun --nodes=1 --ntasks=1 --overlap --nodelist="$head" \
    manyheads "$@" --workers "$address:$port" &
driver=$!
trap 'kill -INT $driver' INT
wait "$driver" || wait "$driver"
