// Where photographs come from: dropped files and folders, two inputs, and what is pasted.
import { Photo } from "/static/service/photos.js";

const SUFFIX = /\.(jpe?g|png|webp|bmp|dib|gif|tiff?|avif|heic|heif)$/i;
export const MOST = 20_000; // on a page; the command takes any number

/** Whether a file of a folder is meant to be asked about. */
const isPicture = (file) => !file.name.startsWith(".") && (file.type.startsWith("image/") || SUFFIX.test(file.name));

const byName = (a, b) => (a.name < b.name ? -1 : Number(a.name > b.name));

/** All entries of a dropped folder: a reader gives them a hundred at a time. */
const entriesOf = async (folder) => {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return all;
    all.push(...some);
  }
};

class Found {
  constructor() {
    this.photos = [];
    this.left = 0; // files that are no pictures
    this.unread = 0; // that the browser could not open
  }

  add(file, name) { this.photos.push(new Photo(file, name)); }
}

const walk = async (entry, found, isInside) => {
  if (found.photos.length > MOST) return;
  if (entry.isDirectory) {
    let inside = [];
    try {
      inside = await entriesOf(entry);
    } catch {
      found.unread += 1;
    }
    for (const each of inside.sort(byName)) await walk(each, found, true);
    return;
  }
  try {
    const file = await new Promise((done, fail) => entry.file(done, fail));
    if (isInside && !isPicture(file)) found.left += 1;
    else found.add(file, entry.fullPath.replace(/^\//, ""));
  } catch {
    found.unread += 1;
  }
};

/** What was dropped; folders are read to their ends, in the order of their names. */
const dropped = async (transfer) => {
  const found = new Found();
  // Items are gone after the first wait, so their entries are taken at once.
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]);
  for (const [entry, file] of entries) {
    if (entry) await walk(entry, found, false);
    else if (file) found.add(file, file.name);
  }
  return found;
};

/** The files of an input; a folder's are those that are pictures. */
const chosen = (input) => {
  const found = new Found();
  const files = [...input.files];
  for (const file of files) {
    const path = file.webkitRelativePath;
    if (path && (!isPicture(file) || /(^|\/)\./.test(path))) found.left += 1;
    else found.add(file, path || file.name);
  }
  if (files[0]?.webkitRelativePath) found.photos.sort(byName);
  input.value = "";
  return found;
};

let pasted = 0;

const pastedFrom = (transfer) => {
  const found = new Found();
  for (const file of transfer?.files ?? []) {
    pasted += 1;
    const isNamed = file.name && file.name !== "image.png";
    found.add(file, isNamed ? file.name : `pasted-${pasted}.${file.type.split("/")[1] || "png"}`);
  }
  return found;
};

/** Hear of photographs, however they come, until `signal` aborts; `take(found)` gets them. */
export const listen = (take, signal) => {
  const zone = document.getElementById("zone");
  const over = (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    zone.classList.add("over");
  };
  // A drop beside the zone would make the browser leave the page.
  addEventListener("dragenter", over, { signal });
  addEventListener("dragover", over, { signal });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) zone.classList.remove("over"); }, { signal });
  addEventListener("drop", async (event) => {
    zone.classList.remove("over");
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    const found = await dropped(event.dataTransfer);
    if (!signal.aborted) take(found);
  }, { signal });
  addEventListener("paste", (event) => {
    const found = pastedFrom(event.clipboardData);
    if (!found.photos.length) return;
    event.preventDefault();
    take(found);
  }, { signal });
  const folder = document.getElementById("folder");
  for (const [button, input] of [["pick-files", "files"], ["pick-folder", "folder"], [null, "still"]]) {
    const field = document.getElementById(input);
    field.addEventListener("change", () => { if (field.files.length) take(chosen(field)); });
    if (button) document.getElementById(button).addEventListener("click", () => field.click());
  }
  document.getElementById("pick-folder").hidden = !("webkitdirectory" in folder);
  // Who holds a camera in the hand uses it first.
  if (matchMedia("(pointer: coarse)").matches || innerWidth < 640) {
    const ways = document.getElementById("ways");
    const camera = document.getElementById("open-camera");
    ways.prepend(camera);
    camera.classList.add("main");
    document.getElementById("pick-files").classList.remove("main");
    document.getElementById("intake-title").textContent = "Take or choose photographs";
  }
};

/** What was left out of `found`, in words; "" if nothing. */
export const leftOut = (found) => {
  const files = (count) => `${count.toLocaleString("en")} ${count === 1 ? "file" : "files"}`;
  const parts = [];
  if (found.left) parts.push(`${files(found.left)} left out: no image by ${found.left === 1 ? "its name" : "their names"}.`);
  if (found.unread) parts.push(`${files(found.unread)} could not be opened by the browser.`);
  return parts.join(" ");
};
