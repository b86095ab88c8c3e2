//! What the next page announces. A cookie carries which one; never a text.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};

use crate::App;

const COOKIE: &str = "toast";

/// Long enough for a log-in that lies between.
const LIFETIME: i64 = 600;

macro_rules! toasts {
    ($($kind:ident $slug:literal $urgency:ident $text:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Toast { $($kind),* }

        impl Toast {
            fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug),* }
            }
            fn from_slug(slug: &str) -> Option<Self> {
                match slug { $($slug => Some(Self::$kind),)* _ => None }
            }
            pub(crate) fn text(self) -> &'static str {
                match self { $(Self::$kind => $text),* }
            }
            /// `alert` interrupts a screen reader, `status` waits for a pause.
            pub(crate) fn role(self) -> &'static str {
                match self { $(Self::$kind => stringify!($urgency)),* }
            }
        }
    };
}

toasts! {
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

impl Toast {
    pub(crate) fn is_error(self) -> bool {
        self.role() == "alert"
    }

    /// The toast that the previous answer left.
    pub(crate) fn waiting(app: &App, headers: &HeaderMap) -> Option<Self> {
        Self::from_slug(&app.site.cookie(headers, COOKIE)?)
    }

    /// A `Set-Cookie` that leaves this toast for the next page.
    pub(crate) fn leave(self, app: &App) -> HeaderValue {
        app.site.set_cookie(COOKIE, self.slug(), Some(LIFETIME))
    }

    /// A `Set-Cookie` for the page that shows it.
    pub(crate) fn shown(app: &App) -> HeaderValue {
        app.site.set_cookie(COOKIE, "", Some(0))
    }

    /// 303 to a place of ours that will show it.
    pub(crate) fn redirect(self, app: &App, to: &str) -> Response {
        ([(header::SET_COOKIE, self.leave(app))], Redirect::to(to)).into_response()
    }
}
