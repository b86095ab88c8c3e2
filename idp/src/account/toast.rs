//! What the next page of an account announces.

platform::toasts! {
    ConfirmationMailed "confirmation-mailed" status "We have sent you a mail with a link.",
    EmailChanged "email-changed" status "Your e-mail address was changed.",
    NewEmailMailed "new-email-mailed" status "We have sent a mail with a link to the new address.",
    TotpOn "totp-on" status "Your authenticator app is on.",
    TotpOff "totp-off" status "Your authenticator app is off: your password alone lets you in.",
    UpstreamLinked "upstream-linked" status "The log-in was linked to your account.",
    UpstreamUnlinked "upstream-unlinked" status "The log-in was unlinked from your account.",
    PasskeyAdded "passkey-added" status "Your passkey was added.",
    PasskeyRemoved "passkey-removed" status "The passkey was removed.",
    PasskeyRenamed "passkey-renamed" status "The name was saved.",
    PasswordChanged "password-changed" status "Your password was changed.",
    ProfileSaved "profile-saved" status "Your profile was saved.",
    SessionEnded "session-ended" status "That device was logged out.",
    OtherSessionsEnded "other-sessions-ended" status "You are logged out everywhere else.",
    AppDisconnected "app-disconnected" status "The app has no access any more.",
    DeviceDisconnected "device-disconnected" status "The device was disconnected.",
}
