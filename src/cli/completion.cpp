#include "cli/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "cli/command.h"

namespace weir {
namespace {

// CLI11 tells the members of a set only in words: "TEXT:{auto,lines,none}".
std::vector<std::string> choices_of(const std::string& type_name) {
  const size_t open = type_name.find('{');
  const size_t close = type_name.find('}', open);
  std::vector<std::string> choices;
  if (open == std::string::npos || close == std::string::npos) return choices;
  std::string word;
  for (const char c : type_name.substr(open + 1, close - open)) {
    if (c != ',' && c != '}') {
      word += c;
    } else if (!word.empty()) {
      choices.push_back(std::exchange(word, ""));
    }
  }
  return choices;
}

bool is_file(const std::string& name) {
  for (const char* word : {"FILE", "PATH", "DIR"}) {
    if (name.find(word) != std::string::npos) return true;
  }
  return false;
}

CompletionOption describe(const CLI::Option& option) {
  CompletionOption described;
  for (const std::string& name : option.get_lnames()) described.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) described.names.push_back("-" + name);
  described.help = option.get_description();
  described.takes_value = option.get_items_expected_max() > 0;
  described.choices = choices_of(option.get_type_name());
  const std::string named = option.get_positional() ? option.get_name(true) : option.get_type_name();
  described.takes_file = described.takes_value && described.choices.empty() &&
                         (is_file(option.get_type_name()) || (described.names.empty() && is_file(named)));
  return described;
}

void collect(const CLI::App& app, const std::string& path, std::vector<CompletionCommand>& commands) {
  CompletionCommand command;
  command.path = path;
  command.name = path.empty() ? "weir" : app.get_name();
  command.help = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) command.options.push_back(describe(*option));  // else it is hidden
  }
  const auto below = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* each : below) command.commands.push_back(each->get_name());
  commands.push_back(std::move(command));
  for (const CLI::App* each : below) {
    collect(*each, path.empty() ? each->get_name() : path + " " + each->get_name(), commands);
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// For the inside of single quotes, in all three shells: help texts need no apostrophe.
std::string plain(std::string text) {
  std::replace(text.begin(), text.end(), '\'', '"');
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// Of zsh's _describe, where a colon ends the word.
std::string escaped_colons(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == ':' ? std::string("\\:") : std::string(1, c);
  return escaped;
}

bool positional_file(const CompletionCommand& command) {
  return std::any_of(command.options.begin(), command.options.end(), [](const CompletionOption& option) {
    return option.names.empty() && option.takes_file;
  });
}

std::vector<std::string> option_names(const CompletionCommand& command) {
  std::vector<std::string> names;
  for (const CompletionOption& option : command.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

// What may stand in the place of a word: commands, and choices of positionals.
std::vector<std::string> plain_words(const CompletionCommand& command) {
  std::vector<std::string> words = command.commands;
  for (const CompletionOption& option : command.options) {
    if (option.names.empty()) words.insert(words.end(), option.choices.begin(), option.choices.end());
  }
  return words;
}

// Lines of a shell's case that lead from one command to the next: "errors list" after "errors".
std::string steps(const std::vector<CompletionCommand>& commands, const std::string& indent) {
  std::string out;
  for (const CompletionCommand& command : commands) {
    if (command.path.empty()) continue;
    const size_t space = command.path.rfind(' ');
    const std::string parent = space == std::string::npos ? "" : command.path.substr(0, space);
    out += indent + "'" + parent + "/" + command.name + "') command='" + command.path + "' ;;\n";
  }
  return out;
}

std::string patterns(const CompletionCommand& command, const CompletionOption& option) {
  std::string text;
  for (const std::string& name : option.names) {
    text += (text.empty() ? "'" : "|'") + command.path + "/" + name + "'";
  }
  return text;
}

}  // namespace

std::vector<CompletionCommand> completion_commands(const CLI::App& app) {
  std::vector<CompletionCommand> commands;
  collect(app, "", commands);
  return commands;
}

std::string bash_completion(const std::vector<CompletionCommand>& commands) {
  std::string out =
      "# weir completion bash: source it, or put it into ~/.local/share/bash-completion/completions/weir\n"
      "_weir_files() {\n"
      "  compopt -o filenames 2>/dev/null\n"
      "  mapfile -t COMPREPLY < <(compgen -f -- \"$1\")\n"
      "}\n"
      "_weir() {\n"
      "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" command='' i words='' "
      "options=''\n"
      "  local files=''\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$command/${COMP_WORDS[i]}\" in\n" +
      steps(commands, "      ") + "    esac\n  done\n  case \"$command/$prev\" in\n";
  for (const CompletionCommand& command : commands) {
    for (const CompletionOption& option : command.options) {
      if (option.names.empty() || !option.takes_value) continue;
      out += "    " + patterns(command, option) + ")\n";
      if (!option.choices.empty()) {
        out += "      mapfile -t COMPREPLY < <(compgen -W '" + joined(option.choices) + "' -- \"$cur\")\n";
      } else if (option.takes_file) {
        out += "      _weir_files \"$cur\"\n";
      }
      out += "      return ;;\n";
    }
  }
  out += "  esac\n  case \"$command\" in\n";
  for (const CompletionCommand& command : commands) {
    out += "    '" + command.path + "') words='" + joined(plain_words(command)) + "' options='" +
           joined(option_names(command)) + "'" + (positional_file(command) ? " files=1" : "") + " ;;\n";
  }
  out +=
      "  esac\n"
      "  if [[ $cur == -* ]]; then\n"
      "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
      "  elif [[ -n $files ]]; then\n"
      "    _weir_files \"$cur\"\n"
      "  else\n"
      "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
      "  fi\n"
      "}\n"
      "complete -F _weir weir\n";
  return out;
}

std::string zsh_completion(const std::vector<CompletionCommand>& commands) {
  std::string out =
      "#compdef weir\n"
      "# weir completion zsh: source it after compinit, or put it as _weir into a folder of $fpath\n"
      "_weir() {\n"
      "  local command='' word\n"
      "  local -a entries\n"
      "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
      "    case \"$command/$word\" in\n" +
      steps(commands, "      ") + "    esac\n  done\n  case \"$command/${words[CURRENT-1]}\" in\n";
  for (const CompletionCommand& command : commands) {
    for (const CompletionOption& option : command.options) {
      if (option.names.empty() || !option.takes_value) continue;
      out += "    " + patterns(command, option) + ") ";
      if (!option.choices.empty()) {
        out += "compadd -- " + joined(option.choices) + "; return ;;\n";
      } else {
        out += std::string(option.takes_file ? "_files; " : "") + "return ;;\n";
      }
    }
  }
  out += "  esac\n  case \"$command\" in\n";
  for (const CompletionCommand& command : commands) {
    out += "    '" + command.path + "')\n      if [[ ${words[CURRENT]} == -* ]]; then\n        entries=(";
    for (const CompletionOption& option : command.options) {
      for (const std::string& name : option.names) {
        out += "\n          '" + name + ":" + escaped_colons(plain(option.help)) + "'";
      }
    }
    out += ")\n        _describe -o option entries\n      else\n";
    if (positional_file(command)) {
      out += "        _files\n";
    } else {
      out += "        entries=(";
      for (const CompletionCommand& below : commands) {
        const bool direct =
            !below.path.empty() &&
            below.path == (command.path.empty() ? below.name : command.path + " " + below.name);
        if (direct) out += "\n          '" + below.name + ":" + escaped_colons(plain(below.help)) + "'";
      }
      for (const std::string& word : plain_words(command)) {
        if (std::find(command.commands.begin(), command.commands.end(), word) == command.commands.end()) {
          out += "\n          '" + word + "'";
        }
      }
      out += ")\n        _describe command entries\n";
    }
    out += "      fi ;;\n";
  }
  out += "  esac\n}\nif [[ ${funcstack[1]} == _weir ]]; then _weir \"$@\"; else compdef _weir weir; fi\n";
  return out;
}

std::string fish_completion(const std::vector<CompletionCommand>& commands) {
  std::string out =
      "# weir completion fish: put it into ~/.config/fish/completions/weir.fish\n"
      "complete -c weir -f\n";
  for (const CompletionCommand& command : commands) {
    std::string condition;
    std::string rest = command.path;
    while (!rest.empty()) {
      const size_t space = std::min(rest.find(' '), rest.size());
      condition += (condition.empty() ? "" : "; and ") + std::string("__fish_seen_subcommand_from ") +
                   rest.substr(0, space);
      rest.erase(0, space + 1);
    }
    const std::string below = joined(command.commands);
    std::string here = condition.empty() ? "__fish_use_subcommand" : condition;
    if (!condition.empty() && !below.empty()) here += "; and not __fish_seen_subcommand_from " + below;
    const std::string start = "complete -c weir -n '" + here + "'";
    for (const CompletionCommand& each : commands) {
      const bool direct = !each.path.empty() &&
                          each.path == (command.path.empty() ? each.name : command.path + " " + each.name);
      if (direct) out += start + " -a '" + each.name + "' -d '" + plain(each.help) + "'\n";
    }
    if (positional_file(command)) out += start + " -F\n";
    for (const CompletionOption& option : command.options) {
      if (option.names.empty()) {
        if (!option.choices.empty()) out += start + " -a '" + joined(option.choices) + "'\n";
        continue;
      }
      out += start;
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.takes_value) {
        out += option.takes_file ? " -r -F" : " -x";
        if (!option.choices.empty()) out += " -a '" + joined(option.choices) + "'";
      }
      out += " -d '" + plain(option.help) + "'\n";
    }
  }
  return out;
}

void add_completion_command(CLI::App& app, const Registry&, int& exit) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("completion", "a script that completes weir's command line in a shell");
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "Examples:\n  source <(weir completion bash)\n"
      "  weir completion bash > ~/.local/share/bash-completion/completions/weir\n"
      "  weir completion zsh  > ~/.zfunc/_weir      a folder of $fpath\n"
      "  weir completion fish > ~/.config/fish/completions/weir.fish");
  command->callback([&app, shell, &exit] {
    const std::vector<CompletionCommand> commands = completion_commands(app);
    const std::string text = *shell == "bash"  ? bash_completion(commands)
                             : *shell == "zsh" ? zsh_completion(commands)
                                               : fish_completion(commands);
    std::fputs(text.c_str(), stdout);
    exit = kExitOk;
  });
}

}  // namespace weir
