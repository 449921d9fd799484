// Before anything is said: a greeting and ways to begin, or how to get a model.
import { may } from "../../api/box";
import { Link } from "../../place";
import { words } from "../../words";
import { models } from "./models";
import { say } from "./open";
import type { Talk } from "./talk";

export function Empty({ talk }: { talk: Talk }) {
  const said = words.chat;
  if (models.value?.length === 0) {
    return (
      <div class="nothing">
        <h2>{said.noModel}</h2>
        <p class="quiet">{may("models.write") ? said.noModelText : said.noModelMember}</p>
        {may("models.write") && (
          <p>
            <Link class="button main" to="/models">
              {said.getModel}
            </Link>
          </p>
        )}
      </div>
    );
  }
  return (
    <div class="nothing">
      <h2>{said.greeting}</h2>
      <p class="quiet">{said.greetingNote}</p>
      <ul class="suggestions">
        {said.suggestions.map(({ title, text }) => (
          <li key={title}>
            <button type="button" disabled={talk.model.value === ""} onClick={() => say(talk, text, [])}>
              <strong>{title}</strong>
              <span class="quiet">{text}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
