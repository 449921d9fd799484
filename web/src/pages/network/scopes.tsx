// What another box may have here, to be ticked and to be read.
import type { Scope } from "../../api/box";
import { TickField } from "../../parts/field";
import { words } from "../../words";

type OfPeers = keyof typeof words.network.scopes;

/** What is given where nobody says otherwise. */
export const USUAL: readonly Scope[] = ["models.read", "infer", "embed"];

const ALL: readonly OfPeers[] = ["models.read", "infer", "embed", "split"];

interface ScopesProps {
  label: string;
  scopes: readonly Scope[];
  onScopes: (scopes: readonly Scope[]) => void;
  /** This box lends memory, where it is asked for. */
  lends: boolean;
  error: string | undefined;
}

export function ScopesField({ label, scopes, onScopes, lends, error }: ScopesProps) {
  const said = words.network.scopes;
  const tick = (scope: Scope, on: boolean): void =>
    onScopes(on ? [...scopes, scope] : scopes.filter((other) => other !== scope));
  return (
    <fieldset class="ticks">
      <legend>{label}</legend>
      {ALL.filter((scope) => lends || scope !== "split").map((scope) => (
        <TickField
          key={scope}
          label={said[scope].name}
          hint={said[scope].about}
          checked={scopes.includes(scope)}
          onChecked={(on) => tick(scope, on)}
        />
      ))}
      {error && (
        <p class="wrong" role="alert">
          {error}
        </p>
      )}
    </fieldset>
  );
}

/** The same in short words. */
export function named(scopes: readonly Scope[]): string {
  return scopes
    .map((scope) => (scope in words.network.scopes ? words.network.scopes[scope as OfPeers].name : scope))
    .join(", ");
}
