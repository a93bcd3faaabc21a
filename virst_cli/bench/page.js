"use strict";
// A heading sorts its table: numbers from the largest first, names from A; again turns it round. What has no number stays last.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[table.tBodies.length - 1]; // a first one, if there are two, holds the sums and stays
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    if (!heading.textContent) return;
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const cell = (row) => row.cells[column];
      const rows = [...body.rows];
      const numbers = rows.some((row) => cell(row).dataset.value);
      const before = heading.getAttribute("aria-sort");
      const order = before ? (before === "ascending" ? "descending" : "ascending") : numbers ? "descending" : "ascending";
      const sign = order === "ascending" ? 1 : -1;
      const compare = (a, b) => {
        if (!numbers) return sign * cell(a).textContent.localeCompare(cell(b).textContent, undefined, { numeric: true });
        const [x, y] = [cell(a).dataset.value, cell(b).dataset.value];
        return x && y ? sign * (x - y) : (y ? 1 : 0) - (x ? 1 : 0);
      };
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", order);
      body.append(...rows.sort(compare));
    });
  });
}
