//! What the next page announces. A cookie carries which one; never a text.

/// Long enough for a log-in that lies between, in seconds.
pub const LIFETIME: i64 = 600;

/// The cookie's purpose.
pub const COOKIE: &str = "toast";

/// `toasts! { Created "created" status "Task added.", … }` makes `enum Toast`: each with the word that its cookie
/// carries, how it is announced (`alert` interrupts a screen reader, `status` waits for a pause), and its text.
#[macro_export]
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
            pub(crate) fn role(self) -> &'static str {
                match self { $(Self::$kind => stringify!($urgency)),* }
            }

            pub(crate) fn is_error(self) -> bool {
                self.role() == "alert"
            }

            /// The toast that the previous answer left.
            pub(crate) fn waiting(site: &$crate::pages::Site, headers: &::axum::http::HeaderMap) -> Option<Self> {
                Self::from_slug(&site.cookie(headers, $crate::toast::COOKIE)?)
            }

            /// A `Set-Cookie` that leaves this toast for the next page.
            pub(crate) fn leave(self, site: &$crate::pages::Site) -> ::axum::http::HeaderValue {
                site.set_cookie($crate::toast::COOKIE, self.slug(), Some($crate::toast::LIFETIME))
            }

            /// A `Set-Cookie` for the page that shows it.
            pub(crate) fn shown(site: &$crate::pages::Site) -> ::axum::http::HeaderValue {
                site.set_cookie($crate::toast::COOKIE, "", Some(0))
            }

            /// 303 to a place of ours that will show it.
            pub(crate) fn redirect(self, site: &$crate::pages::Site, to: &str) -> ::axum::response::Response {
                let cookie = [(::axum::http::header::SET_COOKIE, self.leave(site))];
                ::axum::response::IntoResponse::into_response((cookie, ::axum::response::Redirect::to(to)))
            }
        }
    };
}
