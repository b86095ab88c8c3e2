use chrono::TimeDelta;
use idp::audit::Log;
use platform::on_each_database;

use super::{broken_at, disable_triggers, execute, exported, mark};
use crate::fixture::TestIdp;

on_each_database! {
    async fn what_is_left_after_retention_verifies(db) {
        let idp = TestIdp::new(db).await;
        let log = Log::open(idp.keys.path()).unwrap();
        idp.signed_up("alice").await;
        let old = mark(&idp).await;
        idp.clock.advance(TimeDelta::days(300));
        idp.signed_up("bob").await;
        let kept = mark(&idp).await;
        idp.clock.advance(TimeDelta::days(150));

        let before = idp.clock.now() - TimeDelta::days(400);
        assert_eq!(log.retain(&idp.db, before).await.unwrap(), u64::try_from(old.seq).unwrap());
        assert_eq!(log.retain(&idp.db, before).await.unwrap(), 0);
        assert_eq!(mark(&idp).await, kept);
        assert_eq!(exported(&idp).await[0].seq, old.seq + 1);
        assert_eq!(broken_at(&idp, Some(&kept)).await, None);
        // The newest of those that went is still known.
        assert_eq!(broken_at(&idp, Some(&old)).await, None);
        let refused = execute(&idp.db, &["DELETE FROM audit_events"]).await;
        assert!(refused.is_err(), "what has not gone by retention cannot be removed");
        idp.signed_up("carol").await;
        assert_eq!(mark(&idp).await.seq, kept.seq + 2);

        // Everything, too.
        idp.clock.advance(TimeDelta::days(500));
        log.retain(&idp.db, idp.clock.now()).await.unwrap();
        assert!(exported(&idp).await.is_empty());
        idp.signed_up("dave").await;
        assert_eq!(mark(&idp).await.seq, kept.seq + 4);
    }

    async fn retention_does_not_hide_that_the_oldest_were_cut(db) {
        let idp = TestIdp::new(db).await;
        idp.signed_up("alice").await;
        disable_triggers(&idp.db).await;
        execute(&idp.db, &[
            "UPDATE audit_head SET anchor_seq = 3, anchor_mac = (SELECT mac FROM audit_events WHERE seq = 3)",
            "DELETE FROM audit_events WHERE seq <= 3",
        ]).await.unwrap();
        let log = Log::open(idp.keys.path()).unwrap();
        assert_eq!(log.retain(&idp.db, idp.clock.now() + TimeDelta::days(1)).await.unwrap(), 0);
        assert_eq!(broken_at(&idp, None).await, Some(3));
    }

    /// Whoever cannot remove events could make them look old, and let retention do it.
    async fn what_was_made_to_look_old_is_not_removed(db) {
        let idp = TestIdp::new(db).await;
        idp.signed_up("alice").await;
        disable_triggers(&idp.db).await;
        idp.clock.advance(TimeDelta::days(500));
        idp.signed_up("bob").await;
        let count = exported(&idp).await.len();
        execute(&idp.db, &[
            "UPDATE audit_events SET at = (SELECT min(at) FROM audit_events)",
        ]).await.unwrap();
        let log = Log::open(idp.keys.path()).unwrap();
        log.retain(&idp.db, idp.clock.now() - TimeDelta::days(400)).await.unwrap();
        assert_eq!(exported(&idp).await.len(), count);
        assert!(broken_at(&idp, None).await.is_some());
    }
}
