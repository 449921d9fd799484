//! On whose behalf a request is, and what of its caller goes along with all that is asked of workers. Who asks was found out by
//! `front`, which leaves it among the request's extensions; what routes need is `scopes`'.

use std::collections::HashSet;
use std::convert::Infallible;

use access::{
    Access, Caller, Scope, Who,
    audit::{Action, Noted, Outcome},
};
use axum::extract::FromRequestParts;
use http::{Extensions, request::Parts};
use protocol::{Embed, Generate, Input, Inputs, Rendered};
use scheduler::{Answer, Embedding, Errand, Kind, Load};
use store::{Digest, ModelName, Store, StoreError};

use crate::{Api, error::Error, quota::Place, relay::Hop};

impl FromRequestParts<Self> for Api {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Self) -> Result<Self, Infallible> {
        Ok(api.for_caller(&parts.extensions))
    }
}

impl Api {
    /// Does what blocks on the disk where blocking is allowed, on behalf of the caller.
    pub(crate) async fn on_access<T: Send + 'static, E: Into<Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&Access, &Caller) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Error> {
        let (access, caller) = (self.access.clone(), self.caller.clone());
        tokio::task::spawn_blocking(move || work(&access, &caller)).await?.map_err(Into::into)
    }

    /// Writes down what the caller does to a model. What cannot be written down is not done.
    pub(crate) async fn audit(
        &self,
        action: Action,
        target: String,
        outcome: Outcome,
    ) -> Result<Noted, Error> {
        self.on_access(move |access, by| access.record_act(by, action, &target, outcome)).await
    }

    /// That a model is here, before anything is written down about it: or whoever asks for none fills the log. One that cannot be
    /// read is here.
    pub(crate) async fn present(&self, name: &ModelName) -> Result<(), Error> {
        let name = name.clone();
        let look = move |store: Store| match store.manifest(&name) {
            Err(StoreError::UnknownModel(name)) => Err(StoreError::UnknownModel(name)),
            _ => Ok(()),
        };
        self.on_store(look).await
    }

    /// Does what is written down first. If it fails, and stands there, that is written as well.
    pub(crate) async fn audited<T>(
        &self,
        action: Action,
        target: String,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let noted = match self.audit(action, target.clone(), Outcome::Done).await {
            // On a full disk nothing can be written, and this is how it gets room again.
            Err(error) if action == Action::ModelRemove => {
                tracing::error!(%error, "not in the audit log: {target} is removed");
                Noted::Written
            }
            noted => noted?,
        };
        let done = work.await;
        if done.is_err()
            && noted == Noted::Written
            && let Err(error) = self.audit(action, target, Outcome::Failed).await
        {
            tracing::error!(%error, "the audit log says that something was done which was not");
        }
        done
    }

    /// The same, on behalf of whoever a request is from. Of whom nobody has found out who it is, is nobody.
    pub(crate) fn for_caller(&self, extensions: &Extensions) -> Self {
        let caller = extensions.get::<Caller>().cloned().unwrap_or_else(Caller::nobody);
        let place = extensions.get::<Place>().cloned();
        let hop = extensions.get::<Hop>().cloned();
        Self { caller, _place: place, hop, ..self.clone() }
    }

    /// Whether whoever asks may hear of the boxes that this one is paired with: it is their own.
    pub(crate) fn is_for_its_owner(&self) -> bool {
        matches!(self.caller.who(), Who::Local | Who::Operator) || self.caller.may(Scope::Admin)
    }

    /// What somebody is told who presented nothing where something is needed.
    pub(crate) fn nobody(&self, scope: Option<Scope>) -> Error {
        match self.access.is_claimed() || *self.caller.who() == Who::Local {
            true => Error::Unauthorized { scope },
            false => Error::Unclaimed,
        }
    }

    /// Hides a model that is not for this caller: to it, there is none of that name.
    pub(crate) fn visible(&self, name: &ModelName, asked: &str) -> Result<(), Error> {
        match self.caller.may_use(&name.fully_qualified()) {
            true => Ok(()),
            false => Err(Error::UnknownModel { asked: asked.into() }),
        }
    }

    /// Which of these blobs is not there for a caller who may not use all models: also one of models alone that it may not use.
    /// One that no model names was uploaded for one that is to come.
    pub(crate) async fn hidden(&self, blobs: Vec<Digest>) -> Result<Option<Digest>, Error> {
        if self.caller.may_use_all() || blobs.is_empty() {
            return Ok(None);
        }
        let caller = self.caller.clone();
        self.on_store(move |store| {
            let (mut seen, mut unseen) = (HashSet::new(), HashSet::new());
            for listed in store.list()? {
                let visible = caller.may_use(&listed.name.fully_qualified());
                // One that was removed meanwhile names nothing.
                let Ok(manifest) = store.manifest(&listed.name) else { continue };
                let named = manifest.blobs().map(|blob| blob.digest);
                if visible { seen.extend(named) } else { unseen.extend(named) }
            }
            Ok(blobs
                .into_iter()
                .find(|blob| !store.has_blob(blob) || (unseen.contains(blob) && !seen.contains(blob))))
        })
        .await
    }

    /// Refuses to make a model, under whatever name, that its maker may not use then.
    pub(crate) fn makeable(&self, name: &ModelName) -> Result<(), Error> {
        match self.caller.may_use(&name.fully_qualified()) {
            true => Ok(()),
            false => Err(Error::ForeignName { name: name.to_string() }),
        }
    }

    /// Begins an answer.
    pub(crate) async fn generate(&self, load: Load, generate: Generate) -> Result<Answer, Error> {
        let kind = match generate.input {
            Input::Chat(_) | Input::Continue { .. } => Kind::Chat,
            Input::Raw(_) | Input::Tokens(_) | Input::Infill { .. } => Kind::Generate,
        };
        Ok(self.scheduler.generate(self.bounded(load, kind), self.signed(generate)).await?)
    }

    /// What a model would read.
    pub(crate) async fn render(&self, load: Load, generate: Generate) -> Result<Rendered, Error> {
        Ok(self.scheduler.render(self.bounded(load, Kind::Tokens), self.signed(generate)).await?)
    }

    /// The bytes of each of these tokens.
    pub(crate) async fn detokenize(&self, load: Load, tokens: Vec<i32>) -> Result<Vec<Vec<u8>>, Error> {
        Ok(self.scheduler.detokenize(self.bounded(load, Kind::Tokens), tokens).await?)
    }

    /// Begins to make vectors.
    pub(crate) async fn make_vectors(&self, load: Load, embed: Embed) -> Result<Embedding, Error> {
        let kind = match embed.inputs {
            Inputs::Pairs { .. } => Kind::Rerank,
            Inputs::Texts(_) | Inputs::Tokens(_) => Kind::Embed,
        };
        Ok(self.scheduler.embed(self.bounded(load, kind), embed).await?)
    }

    /// Brings a model into memory.
    pub(crate) async fn bring(&self, load: Load) -> Result<(), Error> {
        Ok(self.scheduler.load(self.bounded(load, Kind::Load)).await?)
    }

    /// On this errand of the caller's, and with no more context than they may have. A model that is loaded with more serves it
    /// as it is.
    fn bounded(&self, mut load: Load, kind: Kind) -> Load {
        load.errand = self.errand(kind);
        if let Some(most) = self.caller.most_context() {
            load.options.context_tokens = load.options.context_tokens.min(most);
            load.least_context = load.least_context.min(most);
        }
        load
    }

    /// What is wanted, and by whom.
    pub(crate) fn errand(&self, kind: Kind) -> Errand {
        Errand { who: self.caller.name().into(), kind }
    }

    /// Whose it is, and how long it may become.
    fn signed(&self, generate: Generate) -> Generate {
        let mut options = generate.options;
        if let Some(most) = self.caller.most_output() {
            options.num_predict = Some(options.num_predict.unwrap_or(most).min(most));
        }
        Generate { owner: self.caller.owner(), options, ..generate }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use access::{Policy, Scopes};
    use protocol::Options;

    use super::*;
    use crate::tests::Rig;

    fn generate(num_predict: Option<u32>) -> Generate {
        Generate::new(Input::Raw("a".into()), Options { num_predict, ..Options::default() })
    }

    #[tokio::test]
    async fn answers_are_their_callers_and_no_longer_than_these_may_have_them() {
        let rig = Rig::new();
        let policy = Policy { most_output: NonZeroU32::new(64), ..Policy::new(Scopes::all()) };
        let caller = rig.by_key(&rig.key(policy));
        let api = Api { caller, ..rig.api.clone() };
        let most = |asked| api.signed(generate(asked)).options.num_predict;

        assert_eq!([most(None), most(Some(1000)), most(Some(7))], [Some(64), Some(64), Some(7)]);
        assert_ne!(api.signed(generate(None)).owner, rig.api.signed(generate(None)).owner);
        assert_eq!(rig.api.signed(generate(None)).options.num_predict, None);
    }
}
