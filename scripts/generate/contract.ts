import {
  type AnyDesc,
  createFileRegistry,
  type DescEnum,
  type DescFile,
  type DescMessage,
  type DescService,
  fromBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { getComments } from "@bufbuild/protoplugin";
import { services } from "@parlor/contract";
import { runTool } from "./tools.ts";

/** Everything that the proto files of `parlor.v1` declare, with their comments. */
export interface Contract {
  readonly files: readonly DescFile[];
  readonly services: readonly DescService[];
  /** Nested ones follow the one that holds them. */
  readonly messages: readonly DescMessage[];
  readonly enums: readonly DescEnum[];
}

/** The contract as buf reads it from the proto files below `root`. */
export function readContract(root: string): Contract {
  const image = runTool(root, "buf", ["build", "--as-file-descriptor-set", "-o", "-"]);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const files = [...registry.files].filter((file) => file.proto.package === "parlor.v1");
  const messages = files.flatMap((file) => file.messages.flatMap(withNested));
  return {
    files,
    services: files.flatMap((file) => file.services).sort((a, b) => place(a) - place(b)),
    messages,
    enums: [...files.flatMap((file) => file.enums), ...messages.flatMap((message) => message.nestedEnums)],
  };
}

/** The place of a service in the list of those that are served. */
function place({ typeName }: DescService): number {
  const index = services.findIndex((service) => service.typeName === typeName);
  if (index === -1) throw new Error(`${typeName} is not in the list of services of packages/contract`);
  return index;
}

function withNested(message: DescMessage): DescMessage[] {
  return [message, ...message.nestedMessages.flatMap(withNested)];
}

/** The comment above a declaration: paragraphs of one line each, separated by an empty line; "" when there is none. */
export function commentOf(desc: Exclude<AnyDesc, DescFile>): string {
  const lines = (getComments(desc).leading ?? "").split("\n").map((line) => line.trim());
  const text = lines.filter((line) => !line.startsWith("buf:lint:")).join("\n");
  return text
    .split(/\n{2,}/)
    .map((paragraph) => paragraph.replaceAll("\n", " ").trim())
    .filter((paragraph) => paragraph !== "")
    .join("\n\n");
}

/** The first sentence of a comment. */
export function firstSentence(comment: string): string {
  const [first = ""] = comment.split("\n\n");
  const end = first.search(/[.:](?=\s+[A-Z`])/);
  return end === -1 ? first : `${first.slice(0, end)}.`;
}

/** The name of a message or enum without its package: `Room`, `Room.Visibility`. */
export function shortName(desc: DescMessage | DescEnum): string {
  return desc.typeName.replace(/^parlor\.v1\./, "");
}
