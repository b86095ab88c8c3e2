//! What the next page announces.

platform::toasts! {
    Created "created" status "Task added.",
    Saved "saved" status "Task saved.",
    Completed "completed" status "Task completed.",
    Reopened "reopened" status "Task reopened.",
    Deleted "deleted" status "Task deleted.",
    LoggedOut "logged-out" status "You are logged out.",
    LoginCancelled "login-cancelled" status "You were not logged in. Nothing was changed.",
    SessionEnded "session-ended" alert "Your session had ended, so nothing was changed. Please try again.",
    StepUp "step-up" status "Thank you. Nothing was changed yet: please do it once more.",
    Forbidden "forbidden" alert "You are not allowed to do that.",
    NotFound "not-found" alert "That task is no longer there.",
    Unreachable "unreachable" alert "The task service cannot be reached. Nothing was changed; please try again.",
}
