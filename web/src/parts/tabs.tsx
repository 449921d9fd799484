// Parts of one page, of which one is shown: links, so that each has an address and the browser's back leads back.
import { Link, place } from "../place";
import "./tabs.css";

interface TabsProps<T extends string> {
  label: string;
  tabs: { name: T; text: string }[];
  current: T;
}

export function Tabs<T extends string>({ label, tabs, current }: TabsProps<T>) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map(({ name, text }, index) => (
        <Link
          key={name}
          to={index === 0 ? place.value.path : `${place.value.path}?tab=${name}`}
          current={name === current}
        >
          {text}
        </Link>
      ))}
    </nav>
  );
}

/** Which of them the address names; the first, if it names none. */
export function tabOf<T extends string>(names: readonly [T, ...T[]]): T {
  const named = place.value.query.get("tab");
  return names.find((name) => name === named) ?? names[0];
}
