//! The only path from a request to an answer: the server and `explain` both call it.

use super::{
    access::Satisfy,
    answer::{Answer, Decision, Pending, Progress},
    cx::{Cx, LookedUp},
    errors::{self, After},
    module::{Made, Module, Phase, Verdict},
    request::Request,
    trace::Trace,
    worker::Worker,
};
use crate::{
    diag::Span,
    http::Status,
    policy::{Policy, Setting},
    system::System,
};
use bstr::BString;
use rustc_hash::FxHashMap;
use std::{
    any::{Any, TypeId},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Where a decision stands: a phase, and which of its hooks is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    phase: usize,
    hook: usize,
}

impl Cursor {
    /// Before everything.
    pub const START: Cursor = Cursor { phase: 0, hook: 0 };

    /// Before the first hook of a phase.
    pub const fn at(phase: Phase) -> Cursor {
        Cursor { phase: phase as usize, hook: 0 }
    }
}

/// One hook of an active module.
#[derive(Clone, Copy, Debug)]
struct Step {
    module: &'static str,
    run: fn(&mut Cx<'_>) -> Verdict,
}

/// Policy, modules and world: all that a decision depends on besides the request.
pub struct Engine {
    /// The configuration.
    pub policy: Arc<Policy>,
    /// The world outside.
    pub system: Arc<dyn System>,
    /// The active modules, in the order of the list.
    pub modules: Vec<&'static Module>,
    /// Hooks by phase, in order.
    steps: Vec<Vec<Step>>,
    /// What modules keep for all workers together; see [`Engine::shared`].
    shared: Mutex<FxHashMap<TypeId, Box<dyn Any + Send>>>,
    /// The modules that change the fields of answers, in order.
    answering: Vec<&'static Module>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("modules", &self.modules.len()).finish_non_exhaustive()
    }
}

/// How a phase ended.
enum End {
    Declined,
    Ok,
    Status(Status),
    Answer(Answer),
    Become(Box<Request>),
    Wait(Pending),
}

/// Where to go after a phase.
enum Next {
    Phase(Phase),
    Die(Status),
}

impl Engine {
    /// An engine for a policy: the hooks of its active modules, sorted once.
    pub fn new(policy: Arc<Policy>, modules: &[&'static Module], system: Arc<dyn System>) -> Engine {
        let active = |module: &&&'static Module| policy.tables.is_active(module.source.as_bytes());
        let modules: Vec<&'static Module> = modules.iter().filter(active).copied().collect();
        let steps = Phase::ALL.iter().map(|phase| steps_of(*phase, &modules)).collect();
        let mut answering: Vec<_> = modules.iter().copied().filter(|m| m.answering.is_some()).collect();
        answering.sort_by_key(|module| module.answering.map(|filter| filter.rank));
        Engine { policy, system, modules, steps, answering, shared: Mutex::default() }
    }

    /// A module's memory for all workers together. This is behind a lock, so it is for what must
    /// be known to all at once and is asked seldom, such as which requests were made before
    /// (AuthDigestNcCheck); what is not belongs into [`Worker::slot`].
    pub fn shared<T: Default + Send + 'static, R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = shared.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(T::default()));
        match slot.downcast_mut() {
            Some(known) => f(known),
            None => f(&mut T::default()),
        }
    }

    /// The output filter of this name, if an active module has it.
    pub fn filter(&self, name: &[u8]) -> Option<&'static super::filter::Filter> {
        let mut filters = self.modules.iter().flat_map(|module| module.filters);
        filters.find(|filter| filter.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether the world is as the modules need it.
    ///
    /// # Errors
    /// The first that is not, as the line for the error log.
    pub fn ready(&self) -> Result<(), Box<super::request::LogEntry>> {
        let mut checks = self.modules.iter().filter_map(|module| module.start);
        checks.try_for_each(|check| check(&self.policy, &*self.system))
    }

    /// Decides a request, or goes on with one that had to wait.
    pub fn decide(&self, worker: &mut Worker, request: Box<Request>, trace: &mut Trace) -> Progress {
        let mut request = request;
        loop {
            let status = match self.phases(worker, &mut request, Phase::Handler, trace) {
                Ok(()) => Status(500),
                Err(End::Answer(answer)) => return Progress::Done(Decision { request, answer }),
                Err(End::Wait(pending)) => return Progress::Wait(request, pending),
                Err(End::Status(status)) => status,
                Err(End::Become(next)) => match self.redirected(request, next) {
                    Ok(next) => {
                        request = next;
                        continue;
                    }
                    Err(last) => {
                        request = last;
                        Status(500)
                    }
                },
                Err(End::Ok | End::Declined) => Status(500),
            };
            match errors::die(self, worker, request, status, trace) {
                After::Done(decision) => return Progress::Done(decision),
                After::Again(next) => request = next,
            }
        }
    }

    /// Goes on after something that happened outside: a script's head was read, a program could
    /// not be started. `verdict` means what it means in a hook of the handler phase.
    pub fn resume(
        &self,
        worker: &mut Worker,
        request: Box<Request>,
        verdict: Verdict,
        trace: &mut Trace,
    ) -> Progress {
        match verdict {
            Verdict::Answer(answer) => Progress::Done(Decision { request, answer }),
            Verdict::Become(next) => match self.redirected(request, next) {
                Ok(next) => self.decide(worker, next, trace),
                Err(last) => self.die(worker, last, Status(500), trace),
            },
            Verdict::Status(status) => self.die(worker, request, status, trace),
            _ => self.die(worker, request, Status(500), trace),
        }
    }

    /// Ends a request with a status: its ErrorDocument, or the built-in page.
    pub fn die(
        &self,
        worker: &mut Worker,
        request: Box<Request>,
        status: Status,
        trace: &mut Trace,
    ) -> Progress {
        match errors::die(self, worker, request, status, trace) {
            After::Done(decision) => Progress::Done(decision),
            After::Again(next) => self.decide(worker, next, trace),
        }
    }

    /// Runs a function as a hook of `module` would be, outside of the phases.
    pub fn with_cx<R>(
        &self,
        worker: &mut Worker,
        req: &mut Request,
        module: &'static str,
        trace: &mut Trace,
        f: impl FnOnce(&mut Cx<'_>) -> R,
    ) -> R {
        let merged = req.conf.clone();
        f(&mut Cx { req, engine: self, worker, conf: &merged.conf, trace, module })
    }

    /// Lets the modules change the fields of an answer that is about to be sent.
    pub fn answering(&self, worker: &mut Worker, request: &mut Request, trace: &mut Trace) {
        let made = if request.ended { Made::ByStatus } else { Made::ByHandler };
        for module in &self.answering {
            if let Some(filter) = module.answering {
                self.with_cx(worker, request, module.name, trace, |cx| (filter.run)(cx, made));
            }
        }
    }

    /// All phases before the filters, for a sub-request.
    pub(super) fn look_up(
        &self,
        worker: &mut Worker,
        mut request: Box<Request>,
        trace: &mut Trace,
    ) -> LookedUp {
        match self.phases(worker, &mut request, Phase::Fixup, trace) {
            Ok(()) => LookedUp::Found(request),
            Err(End::Wait(pending)) => LookedUp::Wait(pending),
            Err(End::Status(status)) => {
                request.status = status;
                LookedUp::Answered(request)
            }
            Err(_) => LookedUp::Answered(request),
        }
    }

    /// An internal redirect, unless there were too many.
    fn redirected(
        &self,
        request: Box<Request>,
        mut next: Box<Request>,
    ) -> Result<Box<Request>, Box<Request>> {
        let limit = super::log::internal_redirect_limit(&self.policy);
        if request.redirects() >= limit {
            let mut request = request;
            request.log.push(super::log::too_many_redirects(limit));
            return Err(request);
        }
        next.prev = Some(request);
        next.cursor = Cursor::START;
        Ok(next)
    }

    /// Runs the phases from where the request stands through `last`.
    fn phases(
        &self,
        worker: &mut Worker,
        request: &mut Box<Request>,
        last: Phase,
        trace: &mut Trace,
    ) -> Result<(), End> {
        loop {
            let phase = Phase::ALL[request.cursor.phase];
            if phase == Phase::Storage && request.cursor.hook == 0 {
                request.conf = worker.base(request.server);
            }
            let end = self.phase(phase, worker, request, trace);
            match self.after(phase, end, request)? {
                Next::Die(status) => return Err(End::Status(status)),
                Next::Phase(next) if next > last || next == phase => return Ok(()),
                Next::Phase(next) => request.cursor = Cursor::at(next),
            }
        }
    }

    /// Asks the hooks of one phase.
    fn phase(&self, phase: Phase, worker: &mut Worker, request: &mut Request, trace: &mut Trace) -> End {
        let steps = &self.steps[phase as usize];
        let mut end = End::Declined;
        while let Some(step) = steps.get(request.cursor.hook) {
            let merged = request.conf.clone();
            let module = step.module;
            let verdict =
                (step.run)(&mut Cx { req: request, engine: self, worker, conf: &merged.conf, trace, module });
            trace.step(phase, module, &verdict);
            match verdict {
                Verdict::Declined => {}
                Verdict::Ok if phase.first_wins() => return End::Ok,
                Verdict::Ok => end = End::Ok,
                Verdict::Status(status) => return End::Status(status),
                Verdict::Answer(answer) => return End::Answer(answer),
                Verdict::Adopt(found) => {
                    request.adopt(*found);
                    if phase.first_wins() {
                        return End::Ok;
                    }
                }
                Verdict::Become(next) => return End::Become(next),
                Verdict::Wait(pending) => return End::Wait(pending),
            }
            request.cursor.hook += 1;
        }
        end
    }

    /// What follows a phase. The access phases go together as `Satisfy` says.
    fn after(&self, phase: Phase, end: End, request: &mut Request) -> Result<Next, End> {
        let following = |phase: Phase| Phase::ALL.get(phase as usize + 1).copied().unwrap_or(phase);
        let any = self.satisfy(request).value == Satisfy::Any;
        let next = match (phase, end) {
            (Phase::HeaderParser, End::Ok | End::Declined) if let Some(user) = was_asked(request) => {
                (request.user, request.auth_type) = user;
                Phase::Type
            }
            (Phase::Access, End::Ok | End::Declined) if any => Phase::Type,
            (Phase::Access, End::Status(_)) if any => Phase::AccessEx,
            (Phase::AccessEx, End::Ok) => Phase::Type,
            (Phase::AccessEx, End::Declined) => Phase::Authn,
            (Phase::Authn, End::Declined) => return Ok(undecided(request, "check user")),
            (Phase::Authn, End::Ok) if request.user.is_none() => {
                request.log.push(super::log::no_authentication(request.uri.as_ref()));
                return Ok(Next::Die(Status(500)));
            }
            (Phase::Authz, End::Declined) => return Ok(undecided(request, "check authorization")),
            (phase, End::Ok | End::Declined) => following(phase),
            (_, end) => return Err(end),
        };
        Ok(Next::Phase(next))
    }

    fn satisfy(&self, request: &Request) -> Setting<Satisfy> {
        let said = self.modules.iter().find_map(|module| module.satisfy);
        said.map_or(Setting::new(Satisfy::Unsaid, Span::BUILTIN), |f| f(&request.conf.conf, request.method))
    }
}

/// User and kind of authentication of the request that this one comes from, if that stood under the
/// very same settings: then nobody is asked again. So a page for 401 can be seen where it says so.
fn was_asked(request: &Request) -> Option<(Option<BString>, Option<BString>)> {
    if let Some(prev) = request.prev.as_ref().filter(|prev| prev.conf.id == request.conf.id) {
        return Some((prev.user.clone(), prev.auth_type.clone()));
    }
    (request.parent_conf == Some(request.conf.id)).then(|| request.parent_user.clone())
}

/// No module answers for a phase that needs an answer (decl_die).
fn undecided(request: &mut Request, what: &str) -> Next {
    request.log.push(super::log::undecided(what, request.uri.as_ref()));
    Next::Die(Status(500))
}

/// The hooks of one phase in order: by rank, then as the module list has it, except that a hook
/// comes after those it names.
pub fn phase_order(
    phase: Phase,
    modules: &[&'static Module],
) -> Vec<(&'static Module, &'static super::module::Hook)> {
    let hooks = modules.iter().flat_map(|module| module.hooks.iter().map(move |hook| (*module, hook)));
    let mut waiting: Vec<_> = hooks.filter(|(_, hook)| hook.phase == phase).collect();
    waiting.sort_by_key(|(_, hook)| hook.order.rank);
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let blocked = |after: &str| waiting.iter().any(|(module, _)| module.name == after);
        let free = waiting.iter().position(|(_, hook)| !hook.order.after.iter().any(|name| blocked(name)));
        order.push(waiting.remove(free.unwrap_or(0)));
    }
    order
}

fn steps_of(phase: Phase, modules: &[&'static Module]) -> Vec<Step> {
    let order = phase_order(phase, modules).into_iter();
    order.map(|(module, hook)| Step { module: module.name, run: hook.run }).collect()
}
