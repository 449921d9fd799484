// Pictures on their way to a model: made no larger than models look at, and of a kind that every box reads.
import { say } from "../../parts/notice";
import { words } from "../../words";
import { capabilitiesOf } from "./models";
import type { Talk } from "./talk";

/** Pixels of the longer side. */
const LONGEST = 2048;
const MOST = 8;
/** A small one goes as it is, if it is a PNG; larger ones, as photographs. */
const SMALL_BYTES = 1_500_000;

/** Adds pictures to what is being written, if the model sees. Whether there were any. */
export async function takeImages(talk: Talk, files: readonly File[]): Promise<boolean> {
  const pictures = files.filter((file) => file.type.startsWith("image/"));
  const others = files.find((file) => !file.type.startsWith("image/"));
  if (others) say(words.chat.notImage(others.name), "warning");
  if (pictures.length === 0) return false;
  if (!capabilitiesOf(talk.model.peek()).includes("vision")) {
    say(words.chat.blind, "warning");
    return true;
  }
  for (const file of pictures) {
    if (talk.pictures.peek().length >= MOST) {
      say(words.chat.tooManyImages(MOST), "warning");
      break;
    }
    try {
      const url = await read(file);
      talk.pictures.value = [...talk.pictures.peek(), url];
    } catch {
      say(words.chat.notImage(file.name), "warning");
    }
  }
  return true;
}

/** How large a picture becomes. */
export function within(width: number, height: number, longest = LONGEST): { width: number; height: number } {
  const scale = Math.min(1, longest / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

async function read(file: File): Promise<string> {
  const bitmap = await createImageBitmap(file);
  try {
    const size = within(bitmap.width, bitmap.height);
    const canvas = document.createElement("canvas");
    Object.assign(canvas, size);
    const context = canvas.getContext("2d");
    if (!context) throw new Error("no canvas");
    const asPng = file.type === "image/png" && file.size <= SMALL_BYTES;
    // What can be seen through becomes white in a photograph.
    if (!asPng) {
      context.fillStyle = "#fff";
      context.fillRect(0, 0, size.width, size.height);
    }
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, size.width, size.height);
    return asPng ? canvas.toDataURL("image/png") : canvas.toDataURL("image/jpeg", 0.88);
  } finally {
    bitmap.close();
  }
}
