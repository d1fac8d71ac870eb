# Sourced by the other scripts: the checkout's own virtual environment, whatever else is active.
#   MANYHEADS_VENV     where it is (default: .venv)
#   MANYHEADS_INSTALL  editable (default), or wheel: the built wheel is what is installed and tested
#   PYTHON             which Python makes it (default: the first of 3.11 or newer on PATH)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${MANYHEADS_VENV:-.venv}
python=$venv/bin/python
pins=requirements/dev.txt
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV

# Make the environment, or leave it as it is when it was made from these very pins.
install_pins() {
    local wanted
    wanted=$(cksum <"$pins")
    [[ -x $python && -f $venv/pins && $(<"$venv/pins") == "$wanted" ]] && return
    make_venv "$venv"
    echo "Installing $pins into $venv" >&2
    "$python" -m pip install -qq --require-hashes --only-binary :all: -r "$pins"
    echo "$wanted" >"$venv/pins"
}

make_venv() {
    local maker
    maker=$(find_python)
    rm -rf "$1"
    # A Python that is packaged without ensurepip still has its own pip to fill the environment.
    "$maker" -m venv "$1" 2>/dev/null || {
        "$maker" -m venv --clear --without-pip "$1"
        "$maker" -m pip --python "$1/bin/python" install -qq pip
    }
}

find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3.11 python3 python python3.12 python3.13; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "expected Python 3.11 or newer on PATH, found none; install it, or set PYTHON" >&2
    return 1
}

install_manyheads() {
    if [[ ${MANYHEADS_INSTALL:-editable} == wheel ]]; then
        rm -rf "$venv/wheel"
        "$python" -m pip wheel -qq --no-deps --no-build-isolation --wheel-dir "$venv/wheel" .
        "$python" -m pip install -qq --no-deps --no-index --force-reinstall "$venv"/wheel/*.whl
        rm -f "$venv/editable"
    elif [[ ! -f $venv/editable || pyproject.toml -nt $venv/editable ]]; then
        "$python" -m pip install -qq --no-deps --no-build-isolation --editable .
        touch "$venv/editable"
    fi
}
