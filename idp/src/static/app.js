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
  document.querySelectorAll('form[data-once]').forEach(again)
})
function again(form) {
  delete form.dataset.sent
  form.querySelector('[aria-busy]')?.removeAttribute('aria-busy')
}

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

// Passkeys: a form that is sent with what an authenticator has answered. What browsers convert by themselves is
// converted by hand where they do not.
const known = window.PublicKeyCredential
const binary = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0))
const base64url = buffer =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')

function read(options, creates) {
  try {
    return creates ? known.parseCreationOptionsFromJSON(options) : known.parseRequestOptionsFromJSON(options)
  } catch {
    const keys = list => list?.map(key => ({ ...key, id: binary(key.id) }))
    const { challenge, user, excludeCredentials, allowCredentials } = options
    return {
      ...options,
      challenge: binary(challenge),
      user: user && { ...user, id: binary(user.id) },
      excludeCredentials: keys(excludeCredentials),
      allowCredentials: keys(allowCredentials),
    }
  }
}

function written(credential) {
  try {
    return JSON.stringify(credential.toJSON())
  } catch {
    const { id, rawId, type, response } = credential
    const answer = { transports: response.getTransports?.() }
    for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
      if (response[name]) answer[name] = base64url(response[name])
    }
    return JSON.stringify({ id, rawId: base64url(rawId), type, response: answer })
  }
}

for (const form of known ? document.querySelectorAll('form[data-passkey]') : []) {
  const creates = 'create' in form.dataset
  const problem = form.querySelector('[role=alert]')
  let asked
  const ask = async mediation => {
    asked?.abort() // a page asks for one at a time
    const { signal } = asked = new AbortController()
    const body = new URLSearchParams(new FormData(form))
    const response = await fetch(form.dataset.passkey, { method: 'POST', body, signal })
    if (response.redirected) return location.reload() // to log in again first
    if (!response.ok) throw response
    const publicKey = read((await response.json()).publicKey, creates)
    const request = { publicKey, signal, mediation }
    const credential = await (creates ? navigator.credentials.create(request) : navigator.credentials.get(request))
    form.elements.credential.value = written(credential)
    form.submit()
  }
  // Passkeys are offered where the e-mail address is typed.
  const offer = async () => {
    try {
      if ('autofill' in form.dataset && (await known.isConditionalMediationAvailable?.())) await ask('conditional')
    } catch { /* there is still the button */ }
  }
  form.addEventListener('submit', async event => {
    if (event.defaultPrevented) return
    event.preventDefault()
    problem.hidden = true
    try {
      await ask()
    } catch (error) {
      if (error.name === 'AbortError') return
      again(form)
      problem.textContent = why(error, creates)
      problem.hidden = false
      offer()
    }
  })
  form.hidden = false
  document.querySelector('[data-without-passkeys]')?.remove()
  offer()
}

function why({ name, status }, creates) {
  if (status === 429) return 'Too many attempts. Wait a little, then try again.'
  if (name === 'InvalidStateError') return 'This device has a passkey for your account already.'
  if (name === 'NotSupportedError' || name === 'SecurityError') return 'Your browser cannot use passkeys here.'
  if (name !== 'NotAllowedError') return 'We could not ask for a passkey. Check your connection, then try again.'
  return creates
    ? 'No passkey was added: it was cancelled, or took too long.'
    : 'No passkey was used: it was cancelled, took too long, or there is none on this device.'
}
