// Phases are open for reading and can be folded for sorting. The order of the phases on the page is their order in the program: before sending, every row gets its place,
// and after a refusal the rows are put back into the order in which they were sent.
window.addEventListener("load", () => {
  const list = document.getElementById("phases-data");
  if (!list) return;

  const rows = () => [...list.querySelectorAll(":scope > .form-group:not(.empty-form)")];
  const place = (row) => row.querySelector('input[name$="-place"]');

  const sorted = rows().sort((a, b) => (place(a).value || 99) - (place(b).value || 99));
  const after = list.querySelector(":scope > .empty-form");
  for (const row of sorted) list.insertBefore(row, after);

  // A phase is tall: folded to their titles, phases are easy to drag.
  let open = true;
  const fold = document.createElement("button");
  fold.type = "button";
  fold.className = "pd-link pd-fold";
  fold.textContent = "Fold to sort";
  fold.addEventListener("click", () => {
    open = !open;
    fold.textContent = open ? "Fold to sort" : "Open all";
    rows().forEach((row) => (Alpine.$data(row).openRow = open));
  });
  document.getElementById("phases-heading").append(fold);
  rows().forEach((row) => (Alpine.$data(row).openRow = true));
  document.addEventListener("formset:added", (event) => {
    if (list.contains(event.target)) Alpine.nextTick(() => (Alpine.$data(event.target).openRow = true));
  });

  list.closest("form").addEventListener("submit", () => {
    rows().forEach((row, index) => (place(row).value = index + 1));
  });
});
