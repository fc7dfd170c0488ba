/** Where no texts are to be had: what can be said in every language at once, and the way on. */
export function sayWithoutTexts(root: HTMLElement): void {
  const said = document.createElement('h1');
  said.style.font = 'inherit';
  said.append(line('en', 'Root-MAS could not be loaded. Nothing was lost.'), document.createElement('br'), line('ru', 'Root-MAS не загрузился. Ничего не потеряно.'));
  const again = document.createElement('button');
  again.type = 'button';
  again.append(line('en', 'Reload'), ' · ', line('ru', 'Обновить'));
  again.addEventListener('click', () => { location.reload(); });
  const main = document.createElement('main');
  main.style.padding = '2rem';
  main.append(said, again);
  root.replaceChildren(main);
}

function line(language: string, text: string): HTMLElement {
  const span = document.createElement('span');
  span.lang = language;
  span.textContent = text;
  return span;
}
