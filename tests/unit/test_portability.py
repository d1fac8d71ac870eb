"""What only some systems have is used behind a guard; text files are read and written as UTF-8."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "manyheads"

# Modules and names of the standard library that Windows, or macOS too, does not have.
MODULES = {
    "crypt", "curses", "fcntl", "grp", "nis", "posix", "pty", "pwd", "readline", "resource",
    "spwd", "syslog", "termios", "tty",
}  # fmt: skip
NAMES = {
    "os": {
        "chown", "chroot", "confstr", "copy_file_range", "eventfd", "fchdir", "fchmod", "fchown",
        "fork", "forkpty", "get_blocking", "getegid", "geteuid", "getgid", "getgroups",
        "getloadavg", "getpgid", "getpgrp", "getpriority", "getrandom", "getsid", "getuid",
        "getxattr", "killpg", "lchown", "lockf", "login_tty", "memfd_create", "mkfifo", "mknod",
        "nice", "openpty", "pathconf", "pidfd_open", "pipe2", "posix_fadvise", "posix_fallocate",
        "posix_openpt", "posix_spawn", "pread", "preadv", "pwrite", "pwritev", "readv",
        "register_at_fork", "sched_getaffinity", "sched_setaffinity", "sched_yield", "sendfile",
        "set_blocking", "setegid", "seteuid", "setgid", "setpgid", "setpriority", "setsid",
        "setuid", "setxattr", "splice", "statvfs", "sync", "sysconf", "tcgetpgrp", "uname",
        "unshare", "wait", "wait3", "wait4", "waitid", "writev", "O_CLOEXEC", "O_DIRECT",
        "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC", "O_TMPFILE", "WNOHANG",
    },
    "signal": {
        "SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGPROF", "SIGQUIT",
        "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGWINCH",
        "alarm", "getitimer", "pause", "pthread_kill", "pthread_sigmask", "setitimer",
        "set_wakeup_fd", "siginterrupt", "sigpending", "sigtimedwait", "sigwait", "sigwaitinfo",
    },
    "time": {"clock_getres", "clock_gettime", "pthread_getcpuclockid", "tzset"},
    "select": {"epoll", "kqueue", "poll"},
    "socket": {"AF_UNIX", "SO_REUSEPORT", "fromfd", "socketpair"},
    "mmap": {"MADV_DONTNEED", "MADV_WILLNEED", "MAP_PRIVATE", "MAP_SHARED", "PROT_READ"},
}  # fmt: skip
# Keywords that are refused on Windows, and methods that event loops there lack.
KEYWORDS = {"preexec_fn", "process_group", "umask"}
METHODS = {"add_signal_handler", "madvise"}
METHODS_OF_FORK = {"fork", "forkserver"}
PATHS = ("/proc", "/sys/", "/dev/", "/etc/", "/tmp", "/var/")

GUARDS = {"hasattr", "platform", "name"}  # hasattr(os, …), sys.platform, os.name
FORGIVING = {"AttributeError", "ImportError", "ModuleNotFoundError", "Exception"}
FORGIVING_OF_PATHS = FORGIVING | {"OSError"}
# A function that only a guarded one calls, and a folder that is asked for before it is read.
KNOWN = {("modelfiles/untrusted.py", "_virtual_memory"), ("core/processes.py", "")}


class _Uses(ast.NodeVisitor):
    """What a module uses that some systems lack, with the line and whether it is guarded."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[tuple[int, str, str]] = []
        self._functions: list[str] = []
        self._guarded = 0
        self._forgiven: list[set[str]] = []
        self._flags: set[str] = set()
        self.visit(tree)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        flags, self._flags = self._flags, set(self._flags)
        self._functions.append(node.name)
        self._statements(node.body)
        self._functions.pop()
        self._flags = flags

    def _statements(self, body: list[ast.stmt]) -> None:
        """Visit statements; those behind `if sys.platform == …: return` are guarded."""
        entered = 0
        for statement in body:
            self.visit(statement)
            ends = isinstance(statement, ast.If) and isinstance(
                statement.body[-1], ast.Return | ast.Raise | ast.Continue
            )
            if ends and isinstance(statement, ast.If) and self._is_guard(statement.test):
                self._guarded += 1
                entered += 1
        self._guarded -= entered

    def visit_If(self, node: ast.If) -> None:
        guarded = self._is_guard(node.test)
        self._guarded += guarded
        self._statements(node.body)
        self._statements(node.orelse)
        self._guarded -= guarded

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self._statements(node.body)
        self._statements(node.orelse)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        guarded = self._is_guard(node.test)
        self._guarded += guarded
        self.generic_visit(node)
        self._guarded -= guarded

    def visit_Assign(self, node: ast.Assign) -> None:
        # masked = hasattr(signal, "pthread_sigmask"), or what is None where there is no such
        if self._is_guard(node.value) or (
            isinstance(node.value, ast.IfExp) and self._is_guard(node.value.test)
        ):
            self._flags |= {name.id for name in node.targets if isinstance(name, ast.Name)}
        self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        names: set[str] = set()
        for item in node.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("suppress"):
                names |= {ast.unparse(each) for each in call.args}
        self._forgiven.append(names)
        for item in node.items:
            self.visit(item)
        self._statements(node.body)
        self._forgiven.pop()

    def visit_Try(self, node: ast.Try) -> None:
        names = {
            name.id
            for handler in node.handlers
            for name in ast.walk(handler.type or ast.Name("Exception"))
            if isinstance(name, ast.Name)
        }
        self._forgiven.append(names)
        self._statements(node.body)
        self._forgiven.pop()
        for handler in node.handlers:
            self._statements(handler.body)
        self._statements(node.orelse)
        self._statements(node.finalbody)

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            self._use(node, each.name, each.name.partition(".")[0] in MODULES)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for each in node.names:
            lacks = node.module in MODULES or each.name in NAMES.get(node.module or "", ())
            self._use(node, f"{node.module}.{each.name}", lacks)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        module = node.value.id if isinstance(node.value, ast.Name) else ""
        self._use(node, f"{module}.{node.attr}", node.attr in NAMES.get(module, ()))
        self._use(node, f"….{node.attr}", node.attr in METHODS)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func)
        for keyword in node.keywords:
            self._use(node, f"{name}({keyword.arg}=…)", keyword.arg in KEYWORDS)
        if name.endswith(("get_context", "set_start_method")):
            first = node.args[0] if node.args else None
            method = first.value if isinstance(first, ast.Constant) else None
            self._use(node, ast.unparse(node), method in METHODS_OF_FORK)
        if name == "os.kill" and len(node.args) == 2:
            self._use(node, ast.unparse(node), ast.unparse(node.args[1]) == "0")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and node.value.startswith(PATHS) and " " not in node.value:
            self._use(node, node.value, True, FORGIVING_OF_PATHS)

    def _use(
        self, node: ast.stmt | ast.expr, what: str, lacks: bool, forgiving: set[str] = FORGIVING
    ) -> None:
        if lacks and not self._guarded and not any(each & forgiving for each in self._forgiven):
            self.found.append((node.lineno, what, self._functions[-1] if self._functions else ""))

    def _is_guard(self, test: ast.expr) -> bool:
        names = {each.attr for each in ast.walk(test) if isinstance(each, ast.Attribute)}
        plain = {each.id for each in ast.walk(test) if isinstance(each, ast.Name)}
        systems = plain & {"sys", "os", "platform"} and names & {"platform", "name", "system"}
        return "hasattr" in plain or bool(systems) or bool(plain & self._flags)


def unguarded(code: str) -> list[str]:
    """What the code uses without a guard."""
    return [what for _, what, _ in _Uses(ast.parse(code)).found]


@cache
def modules() -> list[tuple[str, ast.Module]]:
    """All modules of the package, by their paths."""
    paths = [(path.relative_to(SOURCE).as_posix(), path) for path in sorted(SOURCE.rglob("*.py"))]
    return [(name, ast.parse(path.read_text(encoding="utf-8"))) for name, path in paths]


def test_what_some_systems_lack_is_guarded() -> None:
    found = [
        f"{name}:{line} {what}"
        for name, tree in modules()
        for line, what, function in _Uses(tree).found
        if (name, function) not in KNOWN
    ]
    assert found == []


@pytest.mark.when_changed("studies")
def test_what_is_known_is_still_there() -> None:
    found = {(name, function) for name, tree in modules() for *_, function in _Uses(tree).found}
    assert found == KNOWN


def text_without_encoding(tree: ast.Module) -> Iterator[int]:
    """The lines that open a text file by the encoding of this machine's user."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        keywords = {each.arg for each in node.keywords}
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if "encoding" in keywords or owner in ("os", "h5py.h5a", "tarfile", "zipfile", "Image"):
            continue
        given = [*node.args, *(each.value for each in node.keywords if each.arg == "mode")]
        texts = [each.value for arg in given for each in ast.walk(arg)
                 if isinstance(each, ast.Constant)]  # fmt: skip
        modes = [each for each in texts if isinstance(each, str) and set(each) <= set("rwaxbt+")]
        if name == "read_text" and not node.args:
            yield node.lineno
        if name == "write_text" and owner and len(node.args) < 2:
            yield node.lineno
        # Much else than a file is opened by a method of that name, but not in a mode.
        opens = name in ("fdopen", "NamedTemporaryFile") or (name == "open" and not owner)
        opens = opens or (name == "open" and bool(modes))
        member = "archive" in owner or "filled" in owner  # of an archive: bytes
        if opens and not member and not any("b" in mode for mode in modes):
            yield node.lineno
        if owner == "subprocess" and {"text", "universal_newlines"} & keywords:
            yield node.lineno


def test_text_files_are_utf_8_whatever_the_system_says() -> None:
    found = [f"{name}:{line}" for name, tree in modules() for line in text_without_encoding(tree)]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.fork()",
        "import resource",
        "from os import getuid",
        "import signal\nsignal.signal(signal.SIGALRM, None)",
        "import os\nos.kill(7, 0)",
        "import multiprocessing\nmultiprocessing.get_context('fork')",
        "import subprocess\nsubprocess.Popen([], preexec_fn=None)",
        "open('/proc/self/statm')",
        "import os\nif ready:\n    os.getuid()",
        "import os\nwith suppress(OSError):\n    os.killpg(1, 9)",
    ],
)
def test_what_is_not_guarded_is_found(code: str) -> None:
    assert len(unguarded(code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "import os\nif hasattr(os, 'fork'):\n    os.fork()",
        "import os\nx = os.getuid() if hasattr(os, 'getuid') else 0",
        "try:\n    import resource\nexcept ImportError:\n    resource = None",
        "import os, sys\ndef f():\n    if sys.platform == 'a':\n        return\n    os.setsid()",
        "import os\nwith suppress(OSError, AttributeError):\n    os.killpg(1, 9)",
        "import signal\nhas = hasattr(signal, 'alarm')\nif has:\n    signal.alarm(1)",
        "with suppress(OSError):\n    open('/proc/self/statm')",
        "import os\nos.kill(7, 9)",
    ],
)
def test_what_is_guarded_is_not(code: str) -> None:
    assert unguarded(code) == []
