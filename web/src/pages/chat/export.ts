// A conversation as a file. Pure, but for handing it over.
import { readable, type Conversation, type Message } from "../../api/conversations";
import { words } from "../../words";
import { end, path } from "./tree";

/** What is shown of it, as Markdown. Other versions are in the JSON alone. */
export function asMarkdown(conversation: Conversation): string {
  const messages = new Map(conversation.messages.map((message) => [message.id, message]));
  const parts = [`# ${conversation.title || words.chat.untitled}`];
  const system = conversation.settings.system?.trim();
  if (system) parts.push(`## ${words.chat.system}`, system);
  for (const message of path(messages, end(messages, conversation.leaf)))
    parts.push(`## ${speaker(message)}`, ...said(message));
  return `${parts.join("\n\n")}\n`;
}

function speaker({ role, model }: Message): string {
  if (role === "user") return words.chat.you;
  if (role === "tool") return words.chat.result;
  return role === "system" ? words.chat.system : words.chat.answerOf(model ?? "");
}

function said({ content, thinking, tool_calls, images }: Message): string[] {
  const thoughts = thinking ? [`> *${words.chat.thought}*\n>\n${thinking.trim().replace(/^/gm, "> ")}`] : [];
  const calls = readable(tool_calls).map(
    ({ function: called }) =>
      `*${words.chat.called(called.name)}*\n\n\`\`\`json\n${JSON.stringify(called.arguments, null, 2)}\n\`\`\``,
  );
  const pictures = (images ?? []).map((_, index) => `*${words.chat.picture(index + 1)}*`);
  return [...thoughts, ...pictures, ...(content === "" ? [] : [content.trim()]), ...calls];
}

/** A name for its file, from its title. */
export function fileName(title: string, ending: string): string {
  const plain = title
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "");
  return `${[...plain].slice(0, 50).join("") || "conversation"}.${ending}`;
}

/** Has the browser keep a text as a file. */
export function save(name: string, kind: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: kind }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
