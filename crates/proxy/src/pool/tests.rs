#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use std::future::poll_fn;
use std::net::TcpListener;

use sandgate_config::model::{CircuitBreakers, Cluster, Endpoint, EndpointAddress, RoutingPriority, Thresholds};

use tokio::task::LocalSet;

use super::*;
use crate::cluster::{ClusterOrigin, ClusterTable, LbContext, PrioritySet};
use crate::stats::StatsStore;

struct Fixture {
    pool: Rc<HostPool>,
    cluster: Rc<WorkerCluster>,
    store: Arc<StatsStore>,
    _listener: TcpListener,
}

/// A pool of a host that accepts, with room for so many connections, waiting requests and requests.
fn fixture(connections: u32, pending: u32) -> Fixture {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Cluster {
        circuit_breakers: CircuitBreakers {
            default: Thresholds {
                max_connections: connections,
                max_pending_requests: pending,
                ..Thresholds::default()
            },
            ..CircuitBreakers::default()
        },
        per_connection_buffer_limit_bytes: 0,
        ..Cluster::new("c")
    };
    let store = StatsStore::new();
    let runtime = Arc::new(crate::runtime::Runtime::new(&sandgate_config::model::LayeredRuntime::default()));
    let entry = ClusterTable::default().add(config, ClusterOrigin::Static, &runtime).unwrap();
    let cluster = WorkerCluster::new(&entry, &Rc::default(), &store, &runtime);
    let endpoint = Endpoint::new(EndpointAddress::Ip(listener.local_addr().unwrap()));
    let host = Host::new(&endpoint, listener.local_addr().unwrap(), 0, &Arc::default(), false);
    cluster.update(&Arc::new(PrioritySet::new(vec![host], Vec::new())));
    let pool = cluster
        .choose(&mut LbContext::default(), cluster.pool_key(RoutingPriority::Default, None), Instant::now())
        .unwrap();
    Fixture { pool, cluster, store, _listener: listener }
}

impl Fixture {
    async fn acquire(&self) -> Acquired {
        poll_fn(|cx| Poll::Ready(self.pool.acquire(cx))).await
    }

    async fn pending(&self) -> PendingConnection {
        match self.acquire().await {
            Acquired::Pending(pending) => pending,
            Acquired::Ready(_) => panic!("a connection is ready"),
            Acquired::Overflow => panic!("overflow"),
        }
    }

    fn stat(&self, name: &str) -> u64 {
        self.store.snapshot().get(&format!("cluster.c.{name}")).map_or(0, |sample| sample.value)
    }
}

async fn connected(pending: &mut PendingConnection) -> UpstreamConnection {
    match poll_fn(|cx| pending.poll(cx)).await {
        Ok(Lease::Http1(connection)) => connection,
        Ok(Lease::Http2(_)) => panic!("a stream"),
        Err(failure) => panic!("{failure:?}"),
    }
}

async fn is_waiting(pending: &mut PendingConnection) -> bool {
    poll_fn(|cx| Poll::Ready(pending.poll(cx).is_pending())).await
}

#[tokio::test]
async fn the_last_used_connection_is_used_first() {
    LocalSet::new()
        .run_until(async {
            let fixture = fixture(10, 10);
            let first = connected(&mut fixture.pending().await).await;
            let second = connected(&mut fixture.pending().await).await;
            let id = second.id();
            fixture.pool.release(first, Instant::now());
            fixture.pool.release(second, Instant::now());
            match fixture.acquire().await {
                Acquired::Ready(lease) => assert_eq!(lease.id(), id),
                _ => panic!("nothing is ready"),
            }
        })
        .await;
}

#[tokio::test]
async fn at_the_limit_a_freed_connection_goes_to_who_waits_longest() {
    LocalSet::new()
        .run_until(async {
            let fixture = fixture(1, 10);
            let busy = connected(&mut fixture.pending().await).await;
            let mut first = fixture.pending().await;
            let mut second = fixture.pending().await;
            assert!(is_waiting(&mut first).await && is_waiting(&mut second).await);
            assert_eq!((fixture.stat("upstream_cx_overflow"), fixture.stat("upstream_cx_active")), (2, 1));
            fixture.pool.release(busy, Instant::now());
            assert!(is_waiting(&mut second).await);
            let busy = connected(&mut first).await;
            // One that is closed makes room for another.
            drop(busy);
            let connection = connected(&mut second).await;
            drop((first, second));
            assert_eq!((fixture.stat("upstream_cx_total"), fixture.stat("upstream_rq_pending_active")), (2, 0));
            drop(connection);
            assert_eq!(fixture.stat("upstream_cx_active"), 0);
        })
        .await;
}

#[tokio::test]
async fn who_gives_up_passes_on_what_it_got() {
    LocalSet::new()
        .run_until(async {
            let fixture = fixture(1, 10);
            let busy = connected(&mut fixture.pending().await).await;
            let mut first = fixture.pending().await;
            let mut second = fixture.pending().await;
            assert!(is_waiting(&mut first).await && is_waiting(&mut second).await);
            fixture.pool.release(busy, Instant::now());
            drop(first);
            let busy = connected(&mut second).await;
            let mut first = fixture.pending().await;
            let mut second = fixture.pending().await;
            assert!(is_waiting(&mut first).await && is_waiting(&mut second).await);
            drop(busy);
            drop(first);
            let _ = connected(&mut second).await;
        })
        .await;
}

#[tokio::test]
async fn waiting_requests_are_bounded() {
    LocalSet::new()
        .run_until(async {
            let fixture = fixture(1, 2);
            let first = fixture.pending().await;
            let second = fixture.pending().await;
            assert!(matches!(fixture.acquire().await, Acquired::Overflow));
            assert_eq!(fixture.stat("upstream_rq_pending_overflow"), 1);
            drop((first, second));
            let _ = fixture.pending().await;
        })
        .await;
}

#[tokio::test]
async fn hosts_that_leave_take_their_idle_connections_with_them() {
    LocalSet::new()
        .run_until(async {
            let fixture = fixture(10, 10);
            let idle = connected(&mut fixture.pending().await).await;
            let busy = connected(&mut fixture.pending().await).await;
            fixture.pool.release(idle, Instant::now());
            fixture.cluster.update(&Arc::default());
            assert!(
                fixture.cluster.choose(&mut LbContext::default(), fixture.pool.key().clone(), Instant::now()).is_none()
            );
            assert_eq!(fixture.stat("upstream_cx_active"), 1);
            fixture.pool.release(busy, Instant::now());
            assert_eq!(fixture.stat("upstream_cx_active"), 0);
        })
        .await;
}

#[tokio::test]
async fn who_waits_for_a_connect_takes_what_is_free_first() {
    LocalSet::new()
        .run_until(async {
            let fixture = fixture(10, 10);
            let busy = connected(&mut fixture.pending().await).await;
            let port = busy.id();
            let mut waiting = fixture.pending().await;
            assert!(is_waiting(&mut waiting).await);
            fixture.pool.release(busy, Instant::now());
            assert_eq!(connected(&mut waiting).await.id(), port);
            // The connection that was opened meanwhile is kept for the next.
            while fixture.pool.idle.borrow().is_empty() {
                tokio::task::yield_now().await;
            }
            assert!(matches!(fixture.acquire().await, Acquired::Ready(_)));
            assert_eq!(fixture.stat("upstream_cx_total"), 2);
        })
        .await;
}

#[tokio::test]
async fn a_failed_connect_fails_all_who_wait() {
    LocalSet::new()
        .run_until(async {
            let Fixture { pool, cluster, store, _listener } = fixture(1, 10);
            drop(_listener);
            let fixture = Fixture { pool, cluster, store, _listener: TcpListener::bind("127.0.0.1:0").unwrap() };
            let (mut first, mut second) = (fixture.pending().await, fixture.pending().await);
            assert!(poll_fn(|cx| first.poll(cx)).await.is_err());
            assert!(poll_fn(|cx| second.poll(cx)).await.is_err());
            drop((first, second));
            assert_eq!(
                (fixture.stat("upstream_rq_pending_failure_eject"), fixture.stat("upstream_cx_connect_fail")),
                (2, 1)
            );
            assert_eq!((fixture.stat("upstream_cx_active"), fixture.stat("upstream_rq_pending_active")), (0, 0));
        })
        .await;
}
