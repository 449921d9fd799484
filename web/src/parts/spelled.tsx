// A device's ID, in its groups, to be compared with another one by eye or by ear.
import "./spelled.css";

export function Spelled({ id }: { id: string }) {
  return (
    <p class="spelled mono" aria-label={id}>
      {id.split("-").map((group, index) => (
        <span key={index}>{group}</span>
      ))}
    </p>
  );
}
