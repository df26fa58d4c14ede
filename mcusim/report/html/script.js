'use strict';

// Tables: a click on a heading sorts by its column, a second click the other way round.
for (const heading of document.querySelectorAll('table.sortable th')) {
  heading.tabIndex = 0;
  const sort = () => {
    const table = heading.closest('table');
    const column = [...heading.parentNode.children].indexOf(heading);
    const down = heading.getAttribute('aria-sort') !== 'descending';
    for (const other of heading.parentNode.children) other.removeAttribute('aria-sort');
    heading.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const key = (row) => {
      const cell = row.children[column];
      const value = cell.dataset.value ?? cell.textContent;
      return isNaN(value) || value === '' ? value : Number(value);
    };
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const x = key(a), y = key(b);
      const order = x < y ? -1 : x > y ? 1 : 0;
      return down ? -order : order;
    });
    table.tBodies[0].append(...rows);
  };
  heading.addEventListener('click', sort);
  heading.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') sort();
  });
}

// Flame graph: a click on a block makes it as wide as the picture, one on the root shows all again.
const flame = document.querySelector('.flame');
if (flame) {
  const blocks = [...flame.children];
  const zoom = (chosen) => {
    const left = Number(chosen.dataset.left), width = Number(chosen.dataset.width);
    for (const block of blocks) {
      const start = Number(block.dataset.left), size = Number(block.dataset.width);
      const inside = start < left + width - 1e-9 && start + size > left + 1e-9;
      block.hidden = !inside;
      const from = Math.max(start, left), to = Math.min(start + size, left + width);
      block.style.left = (100 * (from - left)) / width + '%';
      block.style.width = (100 * (to - from)) / width + '%';
    }
  };
  for (const block of blocks) block.addEventListener('click', () => zoom(block));
}
