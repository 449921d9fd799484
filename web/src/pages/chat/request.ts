// What a model is asked: the messages up to the question, and how, as `POST /api/chat` takes it. Pure.
import type { Capability } from "../../api/models";
import type { Message, Settings, ToolCall } from "../../api/conversations";

/** A message as the model is told of it. */
export interface Told {
  role: Message["role"];
  content: string;
  /** In base64. */
  images?: string[];
  tool_calls?: ToolCall[];
}

export interface ChatRequest {
  model: string;
  messages: Told[];
  stream: true;
  options?: Settings["options"];
  think?: Settings["think"];
  keep_alive?: Settings["keep_alive"];
}

export interface Question {
  model: string;
  capabilities: readonly Capability[];
  settings: Settings;
  /** All that was said up to now, the question last. */
  said: readonly Message[];
}

export function chatRequest({ model, capabilities, settings, said }: Question): ChatRequest {
  const { system, options, think, keep_alive } = settings;
  const sees = capabilities.includes("vision");
  const first: Told[] = system?.trim() ? [{ role: "system", content: system }] : [];
  return {
    model,
    // An answer that never came says nothing to the model.
    messages: [...first, ...said.filter((message) => !isNothing(message)).map((message) => told(message, sees))],
    stream: true,
    ...(options && Object.keys(options).length > 0 && { options }),
    // A model that does not think refuses to be told to.
    ...(think !== undefined && capabilities.includes("thinking") && { think }),
    ...(keep_alive !== undefined && { keep_alive }),
  };
}

const isNothing = (message: Message): boolean =>
  message.role === "assistant" && message.content === "" && !message.tool_calls?.length;

function told({ role, content, images, tool_calls }: Message, sees: boolean): Told {
  const seen = sees ? (images ?? []).map((url) => url.slice(url.indexOf(",") + 1)) : [];
  return {
    role,
    content,
    ...(seen.length > 0 && { images: seen }),
    ...(tool_calls && tool_calls.length > 0 && { tool_calls }),
  };
}

/** A line of the answer. Times are nanoseconds. */
export interface ChatLine {
  message?: { content?: string; thinking?: string; tool_calls?: ToolCall[] };
  done?: boolean;
  done_reason?: string;
  prompt_eval_count?: number;
  eval_count?: number;
  eval_duration?: number;
  error?: string;
}

/** Moments of the page's own clock, in milliseconds. */
interface Moments {
  asked: number;
  first: number | undefined;
  ended: number;
}

/** How fast an answer was: counts are the box's, waiting is the page's own. */
export function figures(last: ChatLine, { asked, first, ended }: Moments): NonNullable<Message["figures"]> {
  const { prompt_eval_count: prompt, eval_count: tokens, eval_duration: duration } = last;
  return {
    ...(prompt && { prompt_tokens: prompt }),
    ...(tokens && { tokens }),
    ...(tokens && duration && { tokens_per_second: Math.round((tokens / duration) * 1e11) / 100 }),
    ...(first !== undefined && { first_token_ms: Math.round(first - asked) }),
    total_ms: Math.round(ended - asked),
  };
}

/** Letters of a title; a Chinese one says as much in half of them. */
const MOST_TITLE = 60;

/** What a conversation is called after its first message. */
export function titleOf(text: string): string {
  const line = text
    .trim()
    .replace(/[\s#>*`_~|]+/g, " ")
    .trim();
  const letters = [...line];
  let width = 0;
  const fits = letters.findIndex((letter) => (width += /[\u2e80-\uffef]/.test(letter) ? 2 : 1) > MOST_TITLE);
  if (fits < 0) return line;
  const cut = letters.slice(0, fits).join("");
  const space = cut.lastIndexOf(" ");
  return `${(space > cut.length / 2 ? cut.slice(0, space) : cut).replace(/[,.;:，。；：、]$/, "")}…`;
}
