//! What `transformers` calls the tensors.

use crate::{
    config::{Config, Family},
    source::expert,
};

/// What names begin with: in text models, and in the text part of models that also see, before version 5 and since.
pub(super) const PREFIXES: [&str; 3] = ["model.", "language_model.model.", "model.language_model."];

/// What the gains of norms are counted from: Gemma stores how far they are from one.
pub(super) fn gains_from(family: Family) -> f32 {
    if matches!(family, Family::Gemma2 | Family::Gemma3) { 1.0 } else { 0.0 }
}

/// The name here of the tensor that GGUF calls `name`, if it has one.
pub(super) fn translated(name: &str, prefix: &str, config: &Config) -> Option<String> {
    match name {
        "token_embd.weight" => return Some(format!("{prefix}embed_tokens.weight")),
        "output_norm.weight" => return Some(format!("{prefix}norm.weight")),
        "output.weight" if prefix.starts_with("language_model.") => {
            return Some("language_model.lm_head.weight".into());
        }
        "output.weight" => return Some("lm_head.weight".into()),
        _ => {}
    }
    let mixtral = config.family == Family::Mixtral;
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    let inner = if let Some((all, expert)) = expert(name) {
        let (_, matrix) = all.rsplit_once('.')?;
        let (matrix, experts) = match (matrix, mixtral) {
            ("ffn_gate", true) => ("w1", "block_sparse_moe"),
            ("ffn_down", true) => ("w2", "block_sparse_moe"),
            ("ffn_up", true) => ("w3", "block_sparse_moe"),
            ("ffn_gate", false) => ("gate_proj", "mlp"),
            ("ffn_down", false) => ("down_proj", "mlp"),
            ("ffn_up", false) => ("up_proj", "mlp"),
            _ => return None,
        };
        format!("{experts}.experts.{expert}.{matrix}.weight")
    } else {
        let (part, kind) = part.rsplit_once('.')?;
        let part = match part {
            "attn_norm" => "input_layernorm",
            "attn_q" => "self_attn.q_proj",
            "attn_k" => "self_attn.k_proj",
            "attn_v" => "self_attn.v_proj",
            "attn_output" => "self_attn.o_proj",
            "attn_q_norm" => "self_attn.q_norm",
            "attn_k_norm" => "self_attn.k_norm",
            "post_attention_norm" => "post_attention_layernorm",
            "ffn_norm" if config.post_norms => "pre_feedforward_layernorm",
            "ffn_norm" => "post_attention_layernorm",
            "post_ffw_norm" => "post_feedforward_layernorm",
            "ffn_gate" => "mlp.gate_proj",
            "ffn_up" => "mlp.up_proj",
            "ffn_down" => "mlp.down_proj",
            "ffn_gate_inp" if mixtral => "block_sparse_moe.gate",
            "ffn_gate_inp" => "mlp.gate",
            _ => return None,
        };
        format!("{part}.{kind}")
    };
    Some(format!("{prefix}layers.{layer}.{inner}"))
}
