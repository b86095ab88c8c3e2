//! `/account`

use platform::on_each_database;

use super::{demands_a_log_in, text};
use crate::fixture::{PASSWORD, TestIdp};

on_each_database! {
    async fn the_first_page_says_who_one_is_and_how_the_account_is_protected(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let page = text(alice.get("/account").await).await;
        for shown in ["<h1>Hello, <bdi>alice</bdi></h1>", "alice@example.com", "<dt>Password</dt><dd>Set</dd>", "href=\"/account/security\""] {
            assert!(page.contains(shown), "no {shown} in {page}");
        }
        assert!(!page.contains("other device"));
        for devices in ["1 other device</a>", "2 other devices</a>"] {
            idp.browser().log_in("/login", "alice", PASSWORD).await;
            let page = text(alice.get("/account").await).await;
            assert!(page.contains(devices), "{page}");
        }
        demands_a_log_in(&idp, &alice, "/account/security", false).await;
    }
}
