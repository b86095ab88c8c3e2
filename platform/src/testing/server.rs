//! A service on a free port of loopback, reached over real HTTP.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use axum::Router;

use crate::server::{self, Shutdown};

/// Stops when dropped.
#[derive(Debug)]
pub struct TestServer {
    /// `http://localhost:<port>`
    pub url: String,
    pub shutdown: Shutdown,
}

impl TestServer {
    /// A port that is free, already bound: services must know their own address before they are made.
    #[must_use]
    pub fn reserve() -> (TcpListener, String) {
        let listener = server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        (listener, format!("http://localhost:{port}"))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shutdown.token.cancel();
    }
}

/// Serves `router` on `listener` until the returned value is dropped.
#[must_use]
pub fn serve(listener: TcpListener, router: &Router, shutdown: Shutdown) -> TestServer {
    let port = listener.local_addr().expect("a bound port").port();
    server::serve(vec![listener], router, None, &shutdown).expect("a listener that can be served");
    TestServer { url: format!("http://localhost:{port}"), shutdown }
}
