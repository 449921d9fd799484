// Tables: real ones, which on a narrow screen scroll within themselves or turn their rows into cards.
import type { ComponentChildren } from "preact";
import "./table.css";

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ComponentChildren;
  /** Figures stand to the right. */
  figure?: boolean;
  /** What the row is called by: readers hear it with each cell, and on a narrow screen it heads the card. */
  heading?: boolean;
  /** The column's title is for readers alone, as above buttons. */
  unseen?: boolean;
}

interface TableProps<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string | number;
  /** What is said instead of an empty table. */
  empty: ComponentChildren;
}

export function Table<Row>({ caption, columns, rows, rowKey, empty }: TableProps<Row>) {
  if (rows.length === 0) return <p class="quiet">{empty}</p>;
  return (
    <div class="table">
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" class={column.figure ? "figure" : ""}>
                <span class={column.unseen ? "unseen" : ""}>{column.title}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map((column) =>
                column.heading ? (
                  <th key={column.title} scope="row">
                    {column.cell(row)}
                  </th>
                ) : (
                  <td
                    key={column.title}
                    class={column.figure ? "figure" : ""}
                    data-title={column.unseen ? "" : column.title}
                  >
                    {column.cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
