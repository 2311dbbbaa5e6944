// Tells the form what became of it.
watch('value', () => {
  if (!props.value) return;
  const detail = JSON.parse(props.value);
  document.querySelector('#form form')?.dispatchEvent(new CustomEvent('answered', {detail, bubbles: true}));
});
