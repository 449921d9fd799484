// What stands round the pages before one is in: Hob's mark, and the choice of language.
import { LANGUAGES, choose, chosen, words, type Language } from "../words";

export function Mark() {
  return <img class="mark" src="/icon.svg" alt="" width="44" height="44" />;
}

export function Languages() {
  return (
    <label class="languages small quiet">
      {words.shell.language}{" "}
      <select value={chosen()} onChange={(event) => choose(event.currentTarget.value as Language)}>
        {Object.entries(LANGUAGES).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
