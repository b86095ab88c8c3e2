//! The two sets of migrations make the same tables.

use platform::testing::same_schema;

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    same_schema(&api::MIGRATIONS).await;
}
