// Copies a text, and says whether it could.
const toClipboard = async (text, beside) => {
  // browsers keep the clipboard from pages that come over plain HTTP from another machine
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const field = Object.assign(document.createElement('textarea'), {value: text});
  beside.after(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  return done;
};
