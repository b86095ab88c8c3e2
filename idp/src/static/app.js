// Makes the forms more comfortable. Every page works without it.

// A form is sent once, and its button shows that it is under way.
for (const form of document.querySelectorAll('form[data-once]')) {
  form.addEventListener('submit', event => {
    if (form.dataset.sent) return event.preventDefault()
    form.dataset.sent = 'yes'
    event.submitter?.setAttribute('aria-busy', 'true')
  })
}
addEventListener('pageshow', event => {
  if (!event.persisted) return // only a page that the back button brought back was sent before
  for (const form of document.querySelectorAll('form[data-once]')) {
    delete form.dataset.sent
    form.querySelector('[aria-busy]')?.removeAttribute('aria-busy')
  }
})

// A password can be shown.
for (const input of document.querySelectorAll('input[type=password]')) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'quiet'
  const show = shown => {
    input.type = shown ? 'text' : 'password'
    button.textContent = shown ? 'Hide' : 'Show'
    button.setAttribute('aria-label', shown ? 'Hide password' : 'Show password')
  }
  button.addEventListener('click', () => show(input.type === 'password'))
  input.form.addEventListener('submit', () => show(false)) // or the browser remembers it as text
  const wrapper = document.createElement('div')
  wrapper.className = 'password'
  const focused = document.activeElement === input
  input.before(wrapper)
  wrapper.append(input, button)
  if (focused) input.focus()
  show(false)
}

// How strong a new password is, while it is typed.
for (const form of document.querySelectorAll('form[data-strength]')) {
  const strength = document.getElementById('strength')
  const meter = strength.querySelector('meter')
  const label = strength.querySelector('span')
  let waiting, asked
  form.elements.password.addEventListener('input', event => {
    clearTimeout(waiting)
    asked?.abort()
    // At once: what the answer brings must not move the button from under the pointer.
    strength.hidden = !event.target.value
    if (strength.hidden) return
    waiting = setTimeout(async () => {
      asked = new AbortController()
      try {
        const body = new URLSearchParams(new FormData(form))
        const response = await fetch(form.dataset.strength, { method: 'POST', body, signal: asked.signal })
        if (!response.ok) return
        const answer = await response.json()
        meter.value = answer.score
        label.textContent = answer.label
      } catch { /* the server judges again when the form is sent */ }
    }, 250)
  })
}

// On a narrow screen the navigation scrolls: to where one is.
document.querySelector('.tabs [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' })

// What was announced can be put away, and what only informs goes by itself.
for (const toast of document.querySelectorAll('.toast')) {
  const close = toast.querySelector('[name=dismiss]')
  const dismiss = () => {
    toast.classList.add('leaving')
    setTimeout(() => toast.remove(), 300)
  }
  close.hidden = false
  close.addEventListener('click', dismiss)
  if (toast.getAttribute('role') === 'status') setTimeout(dismiss, 6000)
}

// What is shown once can be copied.
for (const list of document.querySelectorAll('[data-copy]')) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'secondary wide'
  button.textContent = 'Copy'
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText([...list.children].map(item => item.textContent).join('\n'))
    button.textContent = 'Copied'
  })
  list.after(button)
}
