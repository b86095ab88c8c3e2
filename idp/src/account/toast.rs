//! What the next page of an account announces.

platform::toasts! {
    PasswordChanged "password-changed" status "Your password was changed.",
    ProfileSaved "profile-saved" status "Your profile was saved.",
    SessionEnded "session-ended" status "That device was logged out.",
    OtherSessionsEnded "other-sessions-ended" status "You are logged out everywhere else.",
    AppDisconnected "app-disconnected" status "The app has no access any more.",
    DeviceDisconnected "device-disconnected" status "The device was disconnected.",
}
