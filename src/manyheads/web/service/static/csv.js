// The answers as a table: the columns of `manyheads predict --csv`, the numbers as it writes them.
import { ANSWERED, told } from "/static/service/photos.js";

const OWN = ["image", "label", "confidence", "abstained", "low", "high", "others", "given", "error"];
const UNLIKE = ["unlike", "unknown"];

/** A number as Python writes it, so that the file is the command's. */
export const number = (value) => {
  if (!Number.isFinite(value)) return "";
  const [digits, power] = value.toExponential().split("e");
  if (value && Number(power) < -4) return `${digits}e-${power.slice(1).padStart(2, "0")}`;
  return Number.isInteger(value) ? `${value}.0` : String(value);
};

// What a spreadsheet takes for a formula, as spreadsheet_cells.py has it: both write the same file.
const FORMULA = /^[=+\-@\x00-\x1f\x7f]/;
const TAKEN = /^'*[=+\-@\x00-\x1f\x7f]/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** A text as a cell: an apostrophe before what a spreadsheet would compute. */
const harmless = (text) => (TAKEN.test(text) && !NUMBER.test(text) ? `'${text}` : text);

/** A path as a cell: the same file by a name that no spreadsheet would compute. */
const harmlessPath = (path) => (FORMULA.test(path) ? `./${path}` : path);

/** A cell in quotes where it needs them (RFC 4180). */
const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

const line = (cells) => `${cells.map(quoted).join(",")}\n`;

/** The table of `photos`; above a threshold of 0 with the column `abstained`, as the command has. */
export const table = (photos, classes, threshold) => {
  const abstains = threshold > 0;
  const unlike = told.unknown ? UNLIKE : [];
  const named = classes.map((name) => harmless([...OWN, ...unlike].includes(name) ? `probability of ${name}` : name));
  const rows = [line(["image", "label", "confidence", ...named, ...(abstains ? ["abstained"] : []), ...unlike, "error"])];
  for (const photo of photos) {
    const isAnswered = photo.state === ANSWERED;
    const isUnsure = isAnswered && photo.confidence < threshold;
    const label = photo.isUnknown ? "unknown" : isUnsure ? "" : photo.label;
    rows.push(line([
      harmlessPath(photo.name),
      isAnswered ? harmless(label) : "",
      isAnswered ? number(photo.confidence) : "",
      ...classes.map((_, place) => (isAnswered ? number(photo.chances[place]) : "")),
      ...(abstains ? [String(isUnsure)] : []),
      ...(told.unknown ? [isAnswered ? number(photo.unlike) : "", String(photo.isUnknown)] : []),
      harmless(photo.error || (isAnswered ? "" : "not answered")),
    ]));
  }
  return rows;
};

/** Give a file to the user. */
export const download = (parts, name, type) => {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name.replace(/[^\p{L}\p{N}._-]+/gu, "-") || "answers.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
};
