//! What the next page of an account announces.

platform::toasts! {
    PasswordChanged "password-changed" status "Your password was changed.",
}
