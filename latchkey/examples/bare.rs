//! The least that axum can do: one handler, the bytes of a file. What .ci/performance compares with.
//!
//! `bare <ip:port> <content-type> <file>`

use std::env::args;

use axum::{Router, http::header, routing::get};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [address, content_type, file] = args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: bare <ip:port> <content-type> <file>")?;
    let bytes = axum::body::Bytes::from(std::fs::read(file)?);
    let handler = move || async move { ([(header::CONTENT_TYPE, content_type)], bytes) };
    let listener = tokio::net::TcpListener::bind(address).await?;
    Ok(axum::serve(listener, Router::new().fallback(get(handler))).await?)
}
