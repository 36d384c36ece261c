/** Tabs, with the keys that people expect of them: arrows, Home, End. */

export function enable(list) {
  const tabs = [...list.querySelectorAll('[role="tab"]')];
  for (const tab of tabs) tab.addEventListener("click", () => select(tabs, tab));
  list.addEventListener("keydown", (event) => {
    const place = tabs.indexOf(document.activeElement);
    const target = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    const tab = tabs[(target + tabs.length) % tabs.length];
    select(tabs, tab);
    tab.focus();
  });
}

/** Open the panel of a tab. */
export function open(tab) {
  select([...tab.parentElement.querySelectorAll('[role="tab"]')], tab);
}

function select(tabs, selected) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === selected));
    tab.tabIndex = tab === selected ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== selected;
  }
}
