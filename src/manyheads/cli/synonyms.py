"""What other tools call the commands and options of this one."""

from __future__ import annotations

# Of the first names that a command has; several where the word alone does not tell which is meant.
OPTIONS = {
    name: meant.split()
    for names, meant in (
        ("dropout dropout-rate drop-rate drop p-drop", "droprate"),
        ("lr learningrate step-size eta", "learning-rate"),
        ("batch batchsize bs mini-batch", "batch-size"),
        (
            "hidden hidden-size hidden-units hidden-dim units inner neurons dense",
            "size-inner",
        ),
        ("size", "image-size size-inner"),
        ("epoch num-epochs n-epochs max-epochs iterations steps", "epochs droprate-epochs"),
        ("seed random-seed random-state rng", "seeds split-seed"),
        ("trials n-trials runs repetitions", "seeds repeats"),
        (
            "output output-dir output-folder outdir out-dir outfile save save-to save-dir dest "
            "destination target-dir folder o project name to",
            "out",
        ),
        ("model network net arch architecture base-model encoder extractor", "backbone"),
        ("imgsz img-size image-width input-size input-shape resolution pixels res", "image-size"),
        (
            "val val-share val-split val-size valid validation-split validation-size",
            "validation-share",
        ),
        ("test test-split test-size holdout", "test-share"),
        ("cv kfold k-fold k-folds n-folds n-splits num-folds cross-validation k", "folds"),
        ("early-stopping early-stop stop-after", "patience"),
        ("opt optimiser", "optimizer"),
        ("wd decay", "weight-decay"),
        ("smoothing", "label-smoothing"),
        ("reg regularization regularisation l2-reg", "l2 weight-decay"),
        ("augmentation augmentations data-augmentation aug", "augment"),
        ("scheduler schedule lr-schedule lr-scheduler", "learning-rate-schedule"),
        ("time timeout time-limit max-time minutes hours duration", "budget"),
        ("metric monitor criterion objective", "select"),
        ("gpu cuda accelerator npu card", "device"),
        ("backend", "runtime"),
        ("dtype fp16 half amp bf16", "precision storage"),
        ("pretrained checkpoint ckpt weights-file", "weights"),
        ("threshold thresh conf confidence min-conf", "min-confidence"),
        ("topk top-k", "top"),
        ("label", "class candidate"),
        ("labels-from class-names names", "classes-from classes"),
        ("export-format f", "format"),
        ("dry plan n", "dry-run"),
        ("parquet csv", "out"),
        ("strict", "exit-code"),
        ("no-orientation ignore-exif", "no-exif"),
        ("trace traceback", "debug"),
    )
    for name in names.split()
}
# As an abbreviation, each would be taken for an option that something else was meant by.
AMBIGUOUS = ("seed", "size")
# There is no such option, and why none is needed.
NEEDLESS = {
    name: reason
    for names, reason in (
        ("data data-dir dataset input images path source train-dir i", "{operand} is given without"
         " an option in front"),
        ("resume continue restart", "the same command goes on where it was stopped"),
        ("force overwrite f y yes", "nothing is overwritten: name another run folder"),
        ("workers num-workers threads n-jobs jobs cores", "all cores are used"),
    )
    for name in names.split()
}  # fmt: skip
COMMANDS = {
    name: meant.split()
    for names, meant in (
        ("train run learn", "fit sweep"),
        ("tune search grid gridsearch grid-search hpo optimize optimise experiment", "sweep"),
        ("eval evaluate score evaluation benchmark", "test"),
        ("infer inference classify detect label answer", "predict"),
        ("verify validate inspect lint stats doctor clean", "check"),
        ("convert save deploy", "export"),
        ("load open", "import"),
        ("embed encode embeddings", "extract"),
        ("gradcam grad-cam cam heatmap saliency interpret", "explain"),
        ("plot html show results summary", "report"),
        ("diff cmp", "compare"),
        ("ls list history experiments", "runs"),
        ("bias cheat", "shortcut"),
        ("models zoo catalog catalogue networks encoders", "backbones"),
        ("quickstart start example try tutorial init", "demo"),
        ("help", "--help"),
        ("version", "--version"),
    )
    for name in names.split()
}
