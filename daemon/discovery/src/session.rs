//! One run of mdns-sd's daemon: this box is announced by it and others are heard, until it is told to stop or is of no more use.
//! It is code of others that reads what anybody sends, in a thread of its own, so that it may end at any time, and may come to
//! keep too much. Beginning anew is the `supervisor`'s, what is said `saying`'s.

mod saying;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mdns_sd::{
    DaemonEvent, HostnameResolutionEvent, IfKind, IfPredicate, Metrics, Receiver, ServiceDaemon,
    ServiceEvent, TryRecvError,
};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::saying::Said;
use crate::announcement::HOB;
use crate::discovery::Config;
use crate::heard;
use crate::interfaces::Link;
use crate::label::Label;
use crate::neighbour::{Neighbour, Phase};
use crate::table::Table;

/// How often it is looked which interfaces there are, and how mdns-sd is.
const EVERY: Duration = Duration::from_secs(2);
/// How long mdns-sd may say nothing of itself.
const PATIENCE: Duration = Duration::from_secs(15);
/// For how long a box goes by another name than its own, until it looks whether that is free.
const SUBSTITUTED: Duration = Duration::from_secs(15 * 60);
/// Records that mdns-sd may keep of others, who decide how many they send: some megabytes, and each is
/// compared with all others.
const MOST_RECORDS: i64 = 8 * 1024;
/// Times at which it means to look at them again, which are small.
const MOST_TIMERS: i64 = 1024 * 1024;

/// Why it ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It was told to.
    Stopped,
    /// Somebody else has the name.
    Taken,
    /// It went by another name than its own for long enough.
    Substituted,
    /// It is of no more use.
    Lost(Lost),
}

/// What became of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("its thread has ended")]
    Gone,
    #[error("it does not answer")]
    Stuck,
    #[error("more is announced on the network than it may keep")]
    Flooded,
    #[error("{0}")]
    Refused(#[from] mdns_sd::Error),
}

impl<E: Into<Lost>> From<E> for Ended {
    fn from(lost: E) -> Self {
        Self::Lost(lost.into())
    }
}

/// Where is told what was found out.
#[derive(Debug)]
pub(crate) struct Outlets {
    pub(crate) neighbours: watch::Sender<Arc<[Neighbour]>>,
    pub(crate) trouble: watch::Sender<Option<String>>,
}

impl Outlets {
    pub(crate) fn neighbours(&self, list: Arc<[Neighbour]>) {
        self.neighbours.send_if_modified(|known| {
            let news = *known != list;
            *known = list;
            news
        });
    }

    pub(crate) fn trouble(&self, trouble: Option<String>) {
        self.trouble.send_replace(trouble);
    }
}

/// A run.
pub(crate) struct Session<'a> {
    config: &'a Config,
    label: Label,
    outlets: &'a Outlets,
    mdns: ServiceDaemon,
    found: Receiver<ServiceEvent>,
    news: Receiver<DaemonEvent>,
    /// The interfaces that mdns-sd may use, which it asks for whenever it wants.
    allowed: Arc<RwLock<BTreeSet<String>>>,
    /// Where the box is announced.
    addresses: Vec<IpAddr>,
    /// Where it was announced at any time.
    ours: BTreeSet<IpAddr>,
    /// Who answers to its name, where that is its own.
    namesakes: Option<Receiver<HostnameResolutionEvent>>,
    phase: Phase,
    said: Said,
    began: Instant,
    /// What it was asked for last, and when.
    health: (Receiver<Metrics>, Instant),
    table: Table,
}

impl<'a> Session<'a> {
    /// Begins one. Nothing is sent yet.
    pub(crate) fn begin(config: &'a Config, label: Label, outlets: &'a Outlets) -> Result<Self, Lost> {
        let allowed: Arc<RwLock<BTreeSet<String>>> = Arc::default();
        let asked = Arc::clone(&allowed);
        let may_use = IfPredicate::new(move |interface| {
            asked.read().unwrap_or_else(PoisonError::into_inner).contains(&interface.name)
        });
        let mdns = ServiceDaemon::new()?;
        // All that there are, it thinks, until it is told.
        mdns.disable_interface(IfKind::All)?;
        mdns.enable_interface(IfKind::Predicate(may_use))?;
        mdns.set_ip_check_interval(EVERY.as_secs() as u32)?;
        // mdns-sd hears that somebody has a name only at the beginning, and only where that is the first thing they say.
        let own = config.announce.as_ref().filter(|_| label == Label::Own);
        let host = own.map(|own| format!("{}.local.", label.of(&own.id)));
        let namesakes = host.map(|host| mdns.resolve_hostname(&host, None)).transpose()?;
        Ok(Self {
            config,
            label,
            outlets,
            news: mdns.monitor()?,
            found: mdns.browse(HOB)?,
            health: (mdns.get_metrics()?, Instant::now()),
            mdns,
            allowed,
            addresses: Vec::new(),
            ours: BTreeSet::new(),
            namesakes,
            phase: Phase::Setup,
            said: Said::Nothing,
            began: Instant::now(),
            table: Table::default(),
        })
    }

    /// Goes on until it is told to stop, or is of no more use.
    pub(crate) async fn run(mut self, phase: &mut watch::Receiver<Phase>, stop: &CancellationToken) -> Ended {
        let mut ticks = tokio::time::interval(EVERY);
        self.phase = *phase.borrow_and_update();
        let ended = loop {
            let step: Result<(), Ended> = tokio::select! {
                () = stop.cancelled() => Err(Ended::Stopped),
                event = self.found.recv_async() => match event {
                    Ok(event) => {
                        self.heard(event);
                        Ok(())
                    }
                    // It hangs up on who does not keep up with what is found.
                    Err(_) if !self.news.is_disconnected() => Err(Lost::Flooded.into()),
                    Err(_) => Err(Lost::Gone.into()),
                },
                news = self.news.recv_async() => match news {
                    Ok(news) => self.learned(news),
                    Err(_) => Err(Lost::Gone.into()),
                },
                event = heard_of(self.namesakes.as_ref()) => self.heard_namesake(&event),
                changed = phase.changed() => match changed {
                    Ok(()) => {
                        self.phase = *phase.borrow_and_update();
                        self.say_anew().map_err(Ended::from)
                    }
                    // Nobody wants to know any more.
                    Err(_) => Err(Ended::Stopped),
                },
                _ = ticks.tick() => self.look().await,
            };
            if let Err(ended) = step {
                break ended;
            }
        };
        self.say_goodbye(&ended).await;
        ended
    }

    /// What came at once is told at once.
    fn heard(&mut self, first: ServiceEvent) {
        let own = self.config.own;
        let mut next = Some(first);
        while let Some(event) = next {
            match event {
                ServiceEvent::ServiceResolved(service) => {
                    let neighbour = heard::neighbour(&service);
                    let other = neighbour.filter(|heard| !own.is_some_and(|own| heard.claims_to_be(&own)));
                    self.table.heard(&service.fullname, other);
                }
                ServiceEvent::ServiceRemoved(_, instance) => self.table.heard(&instance, None),
                _ => {}
            }
            next = self.found.try_recv().ok();
        }
        self.outlets.neighbours(self.table.list());
    }

    /// Which interfaces there are by now, and how mdns-sd is.
    async fn look(&mut self) -> Result<(), Ended> {
        self.check_health(Instant::now())?;
        let links = Arc::clone(&self.config.links);
        // If it panicked, the next one may not.
        let links: Vec<Link> = tokio::task::spawn_blocking(move || links()).await.unwrap_or_default();
        let chosen = self.config.rules.chosen(&links);
        let names = chosen.iter().map(|link| link.name.clone()).collect();
        let others = {
            let mut allowed = self.allowed.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *allowed, names) != *allowed
        };
        if others {
            // Has it look at once at those that it may use.
            self.mdns.enable_interface(Vec::<IfKind>::new()).map_err(Lost::from)?;
        }
        self.say_at(&chosen, others)?;
        if self.label != Label::Own && self.began.elapsed() > SUBSTITUTED {
            return Err(Ended::Substituted);
        }
        Ok(())
    }

    fn check_health(&mut self, now: Instant) -> Result<(), Lost> {
        let (answer, asked) = &self.health;
        match answer.try_recv() {
            Ok(metrics) => {
                let of = |name: &str| metrics.get(name).copied().unwrap_or_default();
                let records: i64 = metrics
                    .iter()
                    .filter(|(name, _)| name.starts_with("cached-"))
                    .map(|(_, count)| count)
                    .sum();
                if records > MOST_RECORDS || of("timer") > MOST_TIMERS {
                    return Err(Lost::Flooded);
                }
                self.health = (self.mdns.get_metrics()?, now);
                Ok(())
            }
            Err(TryRecvError::Empty) if now - *asked < PATIENCE => Ok(()),
            Err(TryRecvError::Empty) => Err(Lost::Stuck),
            Err(TryRecvError::Disconnected) => Err(Lost::Gone),
        }
    }
}

/// What is heard of those; nothing, for ever, where nobody listens.
async fn heard_of(namesakes: Option<&Receiver<HostnameResolutionEvent>>) -> HostnameResolutionEvent {
    let heard = match namesakes {
        Some(namesakes) => namesakes.recv_async().await.ok(),
        None => None,
    };
    match heard {
        Some(event) => event,
        None => std::future::pending().await,
    }
}
