//! Pulls that nobody waits for, from a registry that is as slow as it is told to be.

use std::future::pending;

use behaviour::server::{Model, Reply, Server};
use store::Store;
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::{Config, Transport};

const MIB: u64 = 1 << 20;
const DEADLINE: Duration = Duration::from_secs(60);

struct Bench {
    folder: TempDir,
    server: Server,
    store: Store,
    pulls: Pulls,
}

impl Bench {
    /// A registry with one model of so many bytes.
    fn of(bytes: u64) -> Self {
        let model = Model::of(usize::try_from(bytes).unwrap());
        let server = Server::start(move |asked| match asked.path.contains("/none/") {
            true => Reply::of(404),
            false => model.answer(asked),
        });
        let folder = TempDir::new().unwrap();
        let store = Store::open(folder.path().to_path_buf()).unwrap();
        let pulls = pulls(&server, &store, None);
        Self { folder, server, store, pulls }
    }

    /// The same at so many bytes a second, as after a restart.
    fn restarted(self, bytes_per_second: Option<u64>) -> Self {
        self.pulls.stop();
        let store = Store::open(self.folder.path().to_path_buf()).unwrap();
        let pulls = pulls(&self.server, &store, bytes_per_second);
        Self { store, pulls, ..self }
    }

    fn model(&self, name: &str) -> ModelName {
        format!("{}/library/{name}", self.server.host).parse().unwrap()
    }

    fn wanted(&self, name: &str) -> Wanted {
        Wanted {
            model: self.model(name),
            from: Authority::Registry(Transport::Plain),
            by: "operator".into(),
            now: 7,
            until: Box::pin(pending()),
        }
    }

    fn begin(&self, name: &str) -> Pull {
        match self.pulls.begin(self.wanted(name)).unwrap() {
            Begun::Now(pull) => pull,
            Begun::Before(pull) => panic!("it runs already: {pull:?}"),
        }
    }

    /// The pull, once it is so.
    async fn once(&self, id: PullId, is: impl Fn(&Pull) -> bool) -> Pull {
        let mut changes = self.pulls.follow();
        let found = async {
            loop {
                changes.borrow_and_update();
                match self.pulls.get(id) {
                    Some(pull) if is(&pull) => return pull,
                    _ => changes.changed().await.unwrap(),
                }
            }
        };
        let found = timeout(DEADLINE, found).await;
        found.unwrap_or_else(|_| panic!("it is not so: {:?}", self.pulls.get(id)))
    }

    async fn done(&self, id: PullId) -> Pull {
        let ended = |pull: &Pull| !matches!(pull.state, PullState::Running);
        let pull = self.once(id, ended).await;
        assert!(matches!(pull.state, PullState::Done), "{pull:?}");
        pull
    }
}

fn pulls(server: &Server, store: &Store, bytes_per_second: Option<u64>) -> Pulls {
    let hosts = server.host.parse().unwrap();
    let config = Config { hosts, bytes_per_second, ..Config::default() };
    Pulls::new(Registry::new(store.clone(), config).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_goes_on_while_nobody_watches_and_is_listed_for_an_hour() {
    let bench = Bench::of(3 * MIB);
    let begun = bench.begin("model");
    assert!(
        matches!(bench.pulls.begin(bench.wanted("model")), Ok(Begun::Before(_)))
            || bench.store.list().unwrap().len() == 1
    );

    let done = bench.done(begun.id).await;

    assert!(bench.store.list().unwrap().iter().any(|listed| listed.name == done.model));
    assert!(done.figures.total > 3 * MIB && done.figures.completed == done.figures.total, "{done:?}");
    assert_eq!((done.status.as_str(), done.rate, done.started), ("success", 0, 7));
    let at = |hours: u64| Instant::now() + Duration::from_secs(hours * 3600);
    assert_eq!(bench.pulls.locked().pulls(at(0)).len(), 1);
    assert_eq!(bench.pulls.locked().pulls(at(1)).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_stays_and_is_gone_on_with_where_it_was() {
    let bench = Bench::of(40 * MIB).restarted(Some(10 * MIB));
    let begun = bench.begin("model");
    bench.once(begun.id, |pull| pull.figures.completed > 5 * MIB && pull.rate > 0).await;

    let paused = bench.pulls.pause(begun.id).unwrap();

    assert!(matches!(paused.state, PullState::Paused) && paused.rate == 0, "{paused:?}");
    assert!(paused.figures.total > 40 * MIB && paused.figures.completed < paused.figures.total, "{paused:?}");
    let arriving = async {
        while !bench.pulls.registry.arriving().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, arriving).await.unwrap();
    assert!(bench.store.list().unwrap().is_empty(), "it went on");
    let asked = bench.server.bytes_asked();
    let again = bench.begin("model");
    assert_eq!(again.id, begun.id);
    bench.pulls.pause(begun.id);

    // After a restart it is known by what is on the disk.
    let bench = bench.restarted(None);
    bench.pulls.look().await.unwrap();
    let [found] = &bench.pulls.list()[..] else { panic!("{:?}", bench.pulls.list()) };
    assert!(matches!(found.state, PullState::Paused) && found.model == bench.model("model"), "{found:?}");
    assert!(found.figures.completed >= 4 * MIB && found.by.is_none(), "{found:?}");
    assert_eq!(found.from, Authority::Registry(Transport::Plain));
    let id = bench.begin("model").id;
    assert_eq!(id, found.id);
    bench.done(id).await;
    let asked_again = bench.server.bytes_asked() - asked;
    assert!(asked_again < usize::try_from(39 * MIB).unwrap(), "{asked_again} bytes were asked for again");
    bench.pulls.look().await.unwrap();
    assert_eq!(bench.pulls.list().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_discarded_is_gone_and_what_is_forgotten_is_not_listed_but_stays() {
    let bench = Bench::of(40 * MIB).restarted(Some(10 * MIB));
    let begun = bench.begin("model");
    bench.once(begun.id, |pull| pull.figures.completed > 2 * MIB).await;

    let forgotten = bench.pulls.forget(begun.id).unwrap();
    assert!(bench.pulls.list().is_empty() && bench.pulls.forget(begun.id).is_none());
    bench.pulls.look().await.unwrap();
    assert!(bench.pulls.list().is_empty());
    assert!(!bench.store.partials().unwrap().is_empty());

    bench.pulls.discard(&bench.model("other")).await.unwrap();
    assert!(!bench.store.partials().unwrap().is_empty());
    bench.pulls.discard(&forgotten.model).await.unwrap();
    assert!(bench.store.partials().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_ends_with_the_key_of_whoever_began_it_and_fails_with_a_reason() {
    let bench = Bench::of(40 * MIB).restarted(Some(10 * MIB));
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let until = Box::pin(async {
        let _over = ended.await;
    });
    let Ok(Begun::Now(begun)) = bench.pulls.begin(Wanted { until, ..bench.wanted("model") }) else {
        panic!()
    };
    bench.once(begun.id, |pull| pull.figures.completed > 0).await;
    end.send(()).unwrap();
    let withdrawn = bench.once(begun.id, |pull| !matches!(pull.state, PullState::Running)).await;
    assert!(matches!(withdrawn.state, PullState::Withdrawn), "{withdrawn:?}");

    let missing = bench.begin("none").id;
    let failed = bench.once(missing, |pull| !matches!(pull.state, PullState::Running)).await;
    assert!(matches!(failed.state, PullState::Failed { step: "pulling manifest", .. }), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_brings_itself_is_listed_once_it_went_away() {
    let bench = Bench::of(40 * MIB).restarted(Some(10 * MIB));
    let registry = &bench.pulls.registry;
    let mut transfer = registry.pull(bench.model("model"), Authority::Registry(Transport::Plain));
    while transfer.figures().is_none_or(|figures| figures.completed < 2 * MIB) {
        timeout(DEADLINE, transfer.next()).await.unwrap().unwrap().unwrap();
    }
    bench.pulls.look().await.unwrap();
    assert!(bench.pulls.list().is_empty(), "it is not paused: {:?}", bench.pulls.list());

    drop(transfer);
    let listed = async {
        while bench.pulls.list().is_empty() {
            tokio::task::yield_now().await;
            bench.pulls.look().await.unwrap();
        }
    };
    timeout(DEADLINE, listed).await.unwrap();
    // And no more when it is gone.
    bench.pulls.discard(&bench.model("model")).await.unwrap();
    bench.pulls.look().await.unwrap();
    assert!(bench.pulls.list().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_run_at_once_and_no_more_and_one_model_comes_from_one_place() {
    let bench = Bench::of(MIB).restarted(Some(1));
    for number in 0..MOST_RUNNING {
        bench.begin(&format!("model{number}"));
    }
    assert!(matches!(bench.pulls.begin(bench.wanted("more")), Err(PullsError::TooMany)));
    assert!(matches!(bench.pulls.begin(bench.wanted("model0")), Ok(Begun::Before(_))));
    let first = bench.pulls.list()[0].clone();
    let elsewhere = Wanted { from: Authority::Peer("attic".parse().unwrap()), ..bench.wanted("model0") };
    assert!(matches!(bench.pulls.begin(elsewhere), Err(PullsError::Elsewhere(_))));

    bench.pulls.pause(first.id);
    bench.begin("more");
}

#[test]
fn from_whom_something_comes_is_told_by_what_was_noted() {
    let peer = Authority::Peer("attic".parse().unwrap());
    for from in [Authority::Registry(Transport::Plain), Authority::Registry(Transport::Secure), peer] {
        assert_eq!(Authority::of_note(from.noted().as_deref()), Some(from));
    }
    for nobody in ["", "peer ", "peer a/b", "somebody"] {
        assert_eq!(Authority::of_note(Some(nobody)), None, "{nobody:?}");
    }
}
