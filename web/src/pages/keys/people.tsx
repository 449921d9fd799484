// The people of the house: adding one, another password, removing one.
import { useState } from "preact/hooks";
import { PEOPLE, removePerson, type Person } from "../../api/people";
import { useAsked } from "../../parts/asked";
import { Button } from "../../parts/button";
import { confirm } from "../../parts/confirm";
import { say } from "../../parts/notice";
import { Loaded } from "../../parts/page";
import { Table, type Column } from "../../parts/table";
import { words } from "../../words";
import { AddPerson } from "./add-person";
import { Time } from "./keys";
import { ResetPassword } from "./reset-password";

export function People() {
  const said = words.keys;
  const asked = useAsked<{ people: Person[] }>(PEOPLE);
  const [adding, setAdding] = useState(false);
  const [resetting, setResetting] = useState<Person>();
  const added = (): void => {
    setAdding(false);
    asked.again();
  };
  return (
    <section class="stack">
      <div class="row apart">
        <h2>{said.people}</h2>
        <Button kind="main" icon="plus" onClick={() => setAdding(true)}>
          {said.addPerson}
        </Button>
      </div>
      <Loaded of={asked}>
        {({ people }) => (
          <Table
            caption={said.people}
            columns={columns(asked.again, setResetting)}
            rows={people}
            rowKey={(person) => person.name}
            empty=""
          />
        )}
      </Loaded>
      {adding && <AddPerson onClose={() => setAdding(false)} onAdded={added} />}
      {resetting && <ResetPassword of={resetting} onClose={() => setResetting(undefined)} />}
    </section>
  );
}

function columns(again: () => void, reset: (person: Person) => void): Column<Person>[] {
  const said = words.keys;
  return [
    {
      title: said.name,
      heading: true,
      cell: (person) => (
        <span>
          <strong>{person.name}</strong> {person.you && <span class="mark">{said.you}</span>}
        </span>
      ),
    },
    { title: said.role, cell: (person) => said.roles[person.role] },
    {
      title: said.lastSeen,
      cell: (person) => (person.last_seen ? <Time at={person.last_seen} /> : <span class="quiet">{said.never}</span>),
    },
    { title: said.since, cell: (person) => <Time at={person.created} /> },
    {
      title: said.actions,
      unseen: true,
      cell: (person) =>
        !person.you && (
          <span class="ends">
            <Button kind="bare" onClick={() => reset(person)}>
              {said.reset}
            </Button>
            <Button kind="bare" onClick={() => remove(person, again)}>
              {said.remove}
            </Button>
          </span>
        ),
    },
  ];
}

function remove({ name }: Person, again: () => void): void {
  const said = words.keys;
  confirm({
    title: said.removeTitle(name),
    text: said.removeText,
    act: said.remove,
    danger: true,
    password: true,
    does: async (password) => {
      await removePerson(name, password);
      say(said.removed(name));
      again();
    },
  });
}
