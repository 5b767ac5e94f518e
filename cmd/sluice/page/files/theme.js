// Applied before anything is drawn: the theme that was chosen here, or the system's.
'use strict';
try {
  const theme = localStorage.getItem('theme');
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing shows the system's theme.
}
