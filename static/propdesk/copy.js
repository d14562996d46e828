// Buttons that copy what another element shows: <button data-copy="id of that element">.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const shown = document.getElementById(button.dataset.copy);
    const marked = window.getSelection();
    marked.selectAllChildren(shown);
    try {
      await navigator.clipboard.writeText(shown.textContent);
    } catch {
      // Browsers give the clipboard to pages over https only; the older way copies what is marked.
      document.execCommand("copy");
    }
    button.textContent = "Copied";
  });
}
