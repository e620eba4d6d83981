import { inflateRawSync } from "node:zlib";

// PKWARE's APPNOTE.TXT: 4.3.16 end of central directory, 4.3.12 central directory header, 4.3.7 local file header.
const endMark = 0x06054b50;
const endLength = 22;
const centralLength = 46;
const localLength = 30;
const deflated = 8;

/** The content of one file of a zip archive without zip64. @throws Error when it is not there */
export function fileInZip(zip: Buffer, name: string): Buffer {
  let end = zip.length - endLength;
  while (end >= 0 && zip.readUInt32LE(end) !== endMark) end--;
  if (end < 0) throw new Error("this is no zip archive");
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = zip.readUInt16LE(at + 28);
    if (zip.toString("utf8", at + centralLength, at + centralLength + nameLength) === name) return contentAt(zip, at);
    at += centralLength + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error(`the archive has no ${name}`);
}

function contentAt(zip: Buffer, central: number): Buffer {
  const local = zip.readUInt32LE(central + 42);
  const start = local + localLength + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const bytes = zip.subarray(start, start + zip.readUInt32LE(central + 20));
  return zip.readUInt16LE(central + 10) === deflated ? inflateRawSync(bytes) : bytes;
}
