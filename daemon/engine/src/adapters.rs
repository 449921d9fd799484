//! How strongly each of a model's adapters is laid over it, request by request.

use protocol::{AdapterScale, GenerateError, Owner};

/// A scale for each of the model's adapters, in their order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scales(Vec<f32>);

impl Scales {
    /// Each in full, as a Modelfile has it.
    pub(crate) fn full(adapters: usize) -> Self {
        Self(vec![1.0; adapters])
    }

    /// What a request asks for; those that it does not name are left out.
    ///
    /// # Errors
    /// [`GenerateError::NoAdapter`] for one that the model does not have.
    pub(crate) fn asked(asked: Option<&[AdapterScale]>, adapters: usize) -> Result<Self, GenerateError> {
        let Some(asked) = asked else { return Ok(Self::full(adapters)) };
        let mut scales = vec![0.0; adapters];
        for AdapterScale { adapter, scale } in asked {
            match scales.get_mut(*adapter as usize) {
                Some(known) => *known = *scale,
                None => {
                    return Err(GenerateError::NoAdapter { adapter: *adapter, adapters: adapters as u32 });
                }
            }
        }
        Ok(Self(scales))
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// Whoever shares what was computed: requests of one owner with the same scales.
    pub(crate) fn kin(&self, owner: Owner) -> Owner {
        if self.0.iter().all(|scale| *scale == 1.0) {
            return owner;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&owner.0.to_le_bytes());
        for scale in &self.0 {
            hasher.update(&scale.to_bits().to_le_bytes());
        }
        let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
        Owner(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_computed_with_other_scales_is_not_shared() {
        let (me, half) = (Owner(1), AdapterScale { adapter: 1, scale: 0.5 });
        let scales = Scales::asked(Some(&[half]), 2).unwrap();
        assert_eq!(scales.as_slice(), [0.0, 0.5]);
        assert_ne!(scales.kin(me), me);
        assert_ne!(scales.kin(me), scales.kin(Owner(2)));
        assert_eq!(Scales::asked(None, 2).unwrap().kin(me), me, "as if nothing had been said");
        assert!(Scales::asked(Some(&[half]), 1).is_err());
    }
}
