//! The admin socket, and sockets that systemd opens.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;

use front::{BindError, Kind, Limits};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::harness::{By, Door, PATIENCE, app, exchange};

#[tokio::test]
async fn whoever_may_open_the_admin_socket_is_the_operator() {
    let mut door = Door::by(By::AdminSocket, app(), Limits::default());
    let path = door.admin_socket();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let socket = UnixStream::connect(&path).await.unwrap();
    let answer = exchange(socket, "GET /who", "Host: localhost\r\n", b"").await;
    assert_eq!(answer.body, "AdminSocket Operator");

    door.stop.cancel();

    timeout(PATIENCE, &mut door.serving).await.unwrap().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn what_systemd_opened_is_taken_over_if_it_is_what_it_should_be() {
    let opened = |address: &str| OwnedFd::from(TcpListener::bind(address).unwrap());
    let listener = front::adopt(Kind::Loopback, opened("127.0.0.1:0")).unwrap();
    assert!(listener.to_string().starts_with("http://127.0.0.1:"));

    let everywhere = front::adopt(Kind::Loopback, opened("0.0.0.0:0"));
    assert!(matches!(everywhere, Err(BindError::NotLoopback { .. })));
    assert!(matches!(front::adopt_admin(opened("127.0.0.1:0")), Err(BindError::Unsuitable(_))));
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(matches!(front::adopt(Kind::Loopback, datagrams.into()), Err(BindError::Unsuitable(_))));
}

#[tokio::test]
async fn everywhere_is_by_both_protocols_of_the_internet() {
    let door = Door::lan(app(), Limits::default());
    let listener = front::bind(Kind::Lan(door.identity()), "[::]:0".parse().unwrap()).unwrap();
    let address = listener.address().unwrap();
    assert!(listener.to_string().starts_with("https://"));
    std::net::TcpStream::connect(("127.0.0.1", address.port())).unwrap();
    if address.is_ipv6() {
        std::net::TcpStream::connect(("::1", address.port())).unwrap();
    }
    let taken = front::bind(Kind::Lan(door.identity()), address);
    assert!(matches!(taken, Err(BindError::LanInUse { .. })));
}

#[tokio::test]
async fn plaintext_is_not_bound_where_others_could_come() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let bound = front::bind(Kind::Loopback, address.parse().unwrap());
        assert!(matches!(bound, Err(BindError::NotLoopback { .. })), "{address}");
    }
}
