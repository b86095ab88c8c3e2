use chrono::TimeDelta;
use idp::admin::audit;
use platform::on_each_database;
use reqwest::StatusCode;

use super::{broken_at, disable_triggers, execute, exported, mark};
use crate::fixture::TestIdp;

/// Alice and Bob have signed up, a second apart.
async fn busy(db: platform::testing::TestDb) -> TestIdp {
    let idp = TestIdp::new(db).await;
    for name in ["alice", "bob"] {
        idp.clock.advance(TimeDelta::seconds(1));
        idp.signed_up(name).await;
    }
    let clients = crate::fixture::clients().len();
    let names: Vec<_> = exported(&idp).await.into_iter().map(|event| event.event).collect();
    assert_eq!(names[clients..], ["signed_up", "logged_in", "signed_up", "logged_in"]);
    assert_eq!(clients, 6, "what is said of the 8th event below is of Alice's log-in");
    idp
}

on_each_database! {
    async fn fifty_at_once_make_one_chain(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let before = mark(&idp).await.seq;
        let token = alice.form_token().await;
        let form = [("form_token", token.as_str())];
        let ask = || alice.send(idp.http.post(idp.at("/account/data/export")).form(&form).header("origin", &idp.url));
        for answer in futures_util::future::join_all((0..50).map(|_| ask())).await {
            assert_eq!(answer.status(), StatusCode::OK);
        }
        assert_eq!(mark(&idp).await.seq, before + 50);
        assert_eq!(idp.restarted(|_| {}).await.clock.now().timestamp().signum(), 1, "it starts with such a log");
    }

    async fn whoever_changes_the_log_is_found_out(db) {
        let idp = busy(db).await;
        let good = mark(&idp).await;
        disable_triggers(&idp.db).await;
        execute(&idp.db, &[
            "CREATE TABLE kept AS SELECT * FROM audit_events",
            "CREATE TABLE kept_head AS SELECT * FROM audit_head",
        ]).await.unwrap();
        let cases: [(&str, &[&'static str], i64); 13] = [
            ("another event", &["UPDATE audit_events SET event = 'logged_out' WHERE seq = 8"], 8),
            ("another time", &["UPDATE audit_events SET at = (SELECT at FROM kept WHERE seq = 1) WHERE seq = 8"], 8),
            ("nobody", &["UPDATE audit_events SET user_id = NULL WHERE seq = 8"], 8),
            ("another person", &["UPDATE audit_events SET user_id = (SELECT user_id FROM kept WHERE seq = 10) WHERE seq = 8"], 8),
            ("another app", &["UPDATE audit_events SET client_id = 'x' WHERE seq = 1"], 1),
            ("another address", &["UPDATE audit_events SET address = '203.0.113.7' WHERE seq = 8"], 8),
            ("other details", &["UPDATE audit_events SET details = '{}' WHERE seq = 8"], 8),
            ("removed", &["DELETE FROM audit_events WHERE seq = 8"], 8),
            ("inserted", &[
                "UPDATE audit_events SET seq = -seq WHERE seq > 8",
                "UPDATE audit_events SET seq = 1 - seq WHERE seq < 0",
                "INSERT INTO audit_events SELECT 9, at, event, user_id, client_id, session_id, address, user_agent, request_id,
                     outcome, details, mac FROM audit_events WHERE seq = 8",
            ], 9),
            ("reordered", &[
                "UPDATE audit_events SET seq = -8 WHERE seq = 8",
                "UPDATE audit_events SET seq = 8 WHERE seq = 9",
                "UPDATE audit_events SET seq = 9 WHERE seq = -8",
            ], 8),
            ("the tail is cut", &["DELETE FROM audit_events WHERE seq > 8"], 9),
            ("the tail is cut, and the head moved", &[
                "DELETE FROM audit_events WHERE seq > 8",
                "UPDATE audit_head SET seq = 8, mac = (SELECT mac FROM kept WHERE seq = 8)",
            ], 8),
            ("the oldest are cut, as by retention", &[
                "DELETE FROM audit_events WHERE seq <= 3",
                "UPDATE audit_head SET anchor_seq = 3, anchor_mac = (SELECT mac FROM kept WHERE seq = 3)",
            ], 3),
        ];
        for (what, statements, seq) in cases {
            execute(&idp.db, statements).await.unwrap();
            assert_eq!(broken_at(&idp, None).await, Some(seq), "{what}");
            execute(&idp.db, &[
                "DELETE FROM audit_events",
                "INSERT INTO audit_events SELECT * FROM kept",
                "DELETE FROM audit_head",
                "INSERT INTO audit_head SELECT * FROM kept_head",
            ]).await.unwrap();
            assert_eq!(mark(&idp).await, good, "{what}");
        }
        execute(&idp.db, &["DELETE FROM audit_head"]).await.unwrap();
        assert_eq!(broken_at(&idp, None).await, Some(1));
    }

    async fn what_happens_afterwards_does_not_hide_that_the_tail_was_cut(db) {
        let idp = busy(db).await;
        disable_triggers(&idp.db).await;
        execute(&idp.db, &[
            "DELETE FROM audit_events WHERE seq > 8",
            "UPDATE audit_head SET seq = 8, mac = (SELECT mac FROM audit_events WHERE seq = 8)",
        ]).await.unwrap();
        idp.signed_up("carol").await;
        assert_eq!(exported(&idp).await.len(), 10, "work goes on");
        assert_eq!(broken_at(&idp, None).await, Some(10));
    }

    async fn an_older_copy_of_the_whole_log_is_found_out_by_a_mark_that_was_kept(db) {
        let idp = busy(db).await;
        execute(&idp.db, &[
            "CREATE TABLE kept AS SELECT * FROM audit_events",
            "CREATE TABLE kept_head AS SELECT * FROM audit_head",
        ]).await.unwrap();
        let older = mark(&idp).await;
        idp.signed_up("carol").await;
        let kept = mark(&idp).await;
        assert_eq!(broken_at(&idp, Some(&kept)).await, None);
        assert_eq!(broken_at(&idp, Some(&older)).await, None);
        disable_triggers(&idp.db).await;
        execute(&idp.db, &[
            "DELETE FROM audit_events",
            "INSERT INTO audit_events SELECT * FROM kept",
            "DELETE FROM audit_head",
            "INSERT INTO audit_head SELECT * FROM kept_head",
        ]).await.unwrap();
        assert_eq!(mark(&idp).await, older);
        assert_eq!(broken_at(&idp, Some(&kept)).await, Some(older.seq + 1));
        idp.clock.advance(TimeDelta::seconds(1));
        idp.signed_up("dave").await;
        assert_eq!(broken_at(&idp, Some(&kept)).await, Some(kept.seq), "others took the places");
    }

    async fn the_database_refuses_to_change_the_log(db) {
        let idp = busy(db).await;
        let good = mark(&idp).await;
        for statement in [
            "UPDATE audit_events SET event = 'logged_out' WHERE seq = 8",
            "DELETE FROM audit_events WHERE seq = 8",
            "DELETE FROM audit_events",
        ] {
            assert!(execute(&idp.db, &[statement]).await.is_err(), "{statement}");
        }
        assert_eq!(mark(&idp).await, good);
    }

    async fn another_key_ring_verifies_nothing(db) {
        let idp = busy(db).await;
        let keys = tempfile::tempdir().unwrap();
        let stranger = idp::admin::Operator::new(idp.db.clone(), idp::audit::Log::open(keys.path()).unwrap());
        let verdict = audit::verify(&stranger, None).await.unwrap();
        assert!(matches!(verdict, idp::audit::Verdict::Broken { .. }), "{verdict:?}");
    }
}
