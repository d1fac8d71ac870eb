"""Read class folders, with or without split folders above them."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path

from manyheads.data import folder_errors as errors
from manyheads.data import left_out, name_rules
from manyheads.data.image_lists import without_twins
from manyheads.data.left_out import Reason
from manyheads.data.listing import Listing, ListingWriter
from manyheads.data.remote_path import FilePath
from manyheads.data.split_names import UNLABELLED, SplitFolders, named, splits_of_classes
from manyheads.data.splits import SPLITS
from manyheads.data.walk import Content, Identity, not_readable, opened, read_folder, start, walk


def scan_folder(root: FilePath, *, grouped: bool = False) -> Listing:
    """List the images below `root`, each class and split in the order of its sorted names.

    The folders of `root` are splits if their names say so (`split_names`), and classes otherwise.
    Below a class folder, images are found at any depth, through links too. What is passed over
    (`name_rules`), or is no image that can be read, is told in `ignored`; what may not be meant in
    `remarks`. Raises `DataError` for a folder that holds no class folders, lies a level too high,
    is an output of manyheads, mixes splits with classes, or has classes whose names hardly differ.
    With `grouped`, folders within class folders are known to be groups, and are not remarked.
    """
    try:
        return _Scan(root, grouped).listing()
    except OSError as error:
        raise not_readable(error, root) from error


class _Scan:
    """The search of one root."""

    def __init__(self, root: FilePath, grouped: bool) -> None:
        self.root, self.writer, self.linked = root, ListingWriter(), array("b")
        self.grouped = grouped
        self.content = read_folder(root)
        self.above: set[Identity] = start(root)
        self.names: defaultdict[str, set[str]] = defaultdict(set)  # as they stand, by class
        self.inside: dict[str, frozenset[str]] = {}  # the folders in each class folder

    def listing(self) -> Listing:
        errors.refuse_output(self.content)
        found = named(self.content.folders)
        if found.all_are_splits:
            layout = "split folders"
            self._splits(found)
        elif self._certain(found):
            if others := self._with_images((*found.doubtful, *found.others)):
                raise errors.mixed(self.root, found, others)
            layout = "split folders"
            self._splits(found)
        else:
            layout = "class folders"
            self._leave_files(self.content)
            self._classes(self.content, None, self.content.folders)
            self._look_inside()
        if layout == "class folders" and len(self.names) < 2:
            errors.refuse_another_level(self.content, [*self.names.values()])
        listing = self.writer.listing(layout)
        if not len(listing.paths):
            raise errors.no_images(self.content, listing.ignored)
        errors.refuse_likeness(self.root, self.names)
        return without_twins(listing, self.linked)

    def _certain(self, found: SplitFolders) -> bool:
        """Whether there are splits; a folder that is named like one may also hold classes."""
        return found.certain or any(
            errors.holds_classes(read_folder(self.content.below(name))) for name in found.splits
        )

    def _with_images(self, folders: Collection[str]) -> list[str]:
        """Those of the root's folders that hold an image; a folder of documents is no obstacle."""
        return [name for name in folders if self._first_below(self.content, name) is not None]

    def _first_below(self, content: Content, name: str) -> object:
        def nothing(folder: str, name: str, reason: Reason) -> None: ...

        inner = opened(content, name, visited := set(self.above), nothing)
        return None if inner is None else next(walk(inner, visited, nothing), None)

    def _leave_files(self, content: Content, reason: Reason = left_out.OUTSIDE) -> int:
        """Leave out the files of a folder that is above classes; how many are images."""
        content.ignore_others(self.writer.ignore)
        images = 0
        for name in content.files:
            why = content.obstacle(name)
            images += why is None
            self.writer.ignore(content.folder, name, why or reason)
        return images

    def _splits(self, found: SplitFolders) -> None:
        self._leave_files(self.content)
        for name in (*found.doubtful, *found.others):
            self._leave(self.content, name, left_out.OUTSIDE)
        folders: defaultdict[str, list[str]] = defaultdict(list)
        for folder, split in found.splits.items():
            folders[split].append(folder)
        for split in SPLITS:
            if len(folders[split]) > 1:
                raise errors.two_of_one_split(self.root, split, folders[split])
            for name in folders[split]:
                inner = opened(self.content, name, self.above, self.writer.ignore)
                if inner is not None:
                    self._split(inner, split)
        for name in folders[UNLABELLED]:
            self._unlabelled(self.content, [name])

    def _split(self, content: Content, split: str) -> None:
        content = self._unwrapped(content, split)
        training = {name_rules.likeness(name) for name in self.names}
        if split == "train":
            if not content.folders and (first := content.first_image()):
                raise errors.no_class_folders(content, first)
            self._leave_files(content)
            self._classes(content, split, content.folders)
            return
        strangers = [name for name in content.folders if name_rules.likeness(name) not in training]
        meaningless = [name for name in strangers if name.lower() in name_rules.NEUTRAL_FOLDERS]
        if training and strangers == content.folders and len(strangers) == 1:
            meaningless = strangers
        if training and len(meaningless) == len(content.folders):
            # Kaggle's way: the images of this split have no labels.
            self._unlabelled(content, content.folders, files=True)
            return
        self._leave_files(content)
        if training and meaningless:
            self._unlabelled(content, meaningless)
        else:
            meaningless = []
        if not content.folders and (first := content.first_image()):
            raise errors.no_class_folders(content, first)
        self._classes(content, split, [name for name in content.folders if name not in meaningless])

    def _unwrapped(self, content: Content, split: str) -> Content:
        """The folder in which the class folders lie: this one, or the only one in it."""
        while len(content.folders) == 1 and content.first_image() is None:
            (name,) = content.folders
            own = Path(content.folder).name.lower()
            same = name.lower() == own or named([name]).splits.get(name) == split
            inside = read_folder(content.below(name))
            if inside.output or not inside.folders:
                break
            neutral = name.lower() in name_rules.NEUTRAL_FOLDERS
            if not (same or neutral or errors.holds_classes(inside)):
                break
            self._leave_files(content)
            inner = opened(content, name, self.above, self.writer.ignore)
            if inner is None:
                break
            content = inner
        return content

    def _unlabelled(self, content: Content, folders: list[str], *, files: bool = False) -> None:
        count = self._leave_files(content, left_out.UNLABELLED) if files else 0
        for name in folders:
            count += self._leave(content, name, left_out.UNLABELLED)
        if count:
            where = content.folder if files or len(folders) != 1 else content.below(folders[0])
            self.writer.remark(errors.unlabelled_words(count, where))

    def _leave(self, content: Content, name: str, reason: Reason) -> int:
        """Leave out all below a folder; how many are images."""
        images, inner = 0, opened(content, name, self.above, self.writer.ignore)
        if inner is not None:
            for image in walk(inner, self.above, self.writer.ignore):
                self.writer.ignore(image.folder, image.name, reason)
                images += 1
        return images

    def _classes(self, content: Content, split: str | None, folders: list[str]) -> None:
        for name in folders:
            # Another class may have the same folder: which is right, a check has to say.
            visited = set(self.above)
            passed: list[tuple[str, str, Reason]] = []
            ignore = _noting(passed)
            inner = opened(content, name, visited, ignore)
            label, before = errors.readable_class(content.folder, name), len(self.writer)
            if inner is not None:
                for image in walk(inner, visited, ignore):
                    self.writer.add(image.folder, image.name, label, split)
                    self.linked.append(image.linked)
            if len(self.writer) > before and inner is not None:
                self.names[label].add(name)
                self.inside[name] = frozenset(inner.folders)
            elif inner is not None:
                # A folder without images makes no class, and what is in it is told with it.
                empty = not passed or any(reason is not left_out.OUTPUTS for *_, reason in passed)
                passed = [each for each in passed if each[2] not in _SAID_BY_FOLDER]
                self.writer.ignore(
                    content.folder, name, left_out.EMPTY if empty else left_out.OUTPUTS
                )
            for folder, other, reason in passed:
                self.writer.ignore(folder, other, reason)

    def _look_inside(self) -> None:
        """Refuse or remark class folders that are probably none."""
        if splits_of_classes([*self.names]):
            self.writer.remark(errors.glued_to_classes(sorted(self.names)))
        inside = list(self.inside.values())
        if len(inside) < 2 or not all(inside):
            return
        union, shared = sorted(frozenset.union(*inside)), sorted(frozenset.intersection(*inside))
        if len(union) > 1 and named(union).all_are_splits:
            raise errors.splits_inside(self.root, sorted(self.inside), union)
        meaningless = {name.lower() for name in shared} <= name_rules.NEUTRAL_FOLDERS
        if not (meaningless or self.grouped) and 2 * len(shared) >= len(union):
            self.writer.remark(errors.same_inside(sorted(self.inside), shared))


def _noting(passed: list[tuple[str, str, Reason]]) -> Callable[[str, str, Reason], None]:
    def ignore(folder: str, name: str, reason: Reason) -> None:
        passed.append((folder, name, reason))

    return ignore


_SAID_BY_FOLDER = (
    left_out.NO_IMAGES, left_out.SYSTEM_FILES, left_out.HIDDEN_FILES, left_out.OUTPUTS,
)  # fmt: skip
