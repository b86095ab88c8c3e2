//! JSON Web Key Set, RFC 7517 §5: the public halves of every key in the ring.

use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::App;

pub async fn get(State(app): State<App>, request: Request) -> Response {
    app.keys.snapshot().jwks.answer(request.headers())
}
