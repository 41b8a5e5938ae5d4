using System.Globalization;
using System.Text;

namespace Kvorum.Tidy;

/// <summary>
/// A checked-in list of what is larger than a rule allows. Entries may shrink or go; a new or grown one fails.
/// </summary>
/// <remarks>
/// A line is "size name". Rewriting (KVORUM_REWRITE=1) lowers and removes entries; it never adds one: that is done by
/// hand, with a reason in review.
/// </remarks>
internal static class Ratchet
{
    public static void Check(string listName, string rule, IReadOnlyDictionary<string, int> tooLarge)
    {
        var path = $"tests/Kvorum.Tidy/Exceptions/{listName}.txt";
        var lines = File.Exists(Repository.Full(path)) ? Repository.Read(path).Split('\n') : [];
        var comments = lines.Where(line => line.StartsWith('#')).ToList();
        var allowed = lines
            .Where(line => line.Trim().Length > 0 && !line.StartsWith('#'))
            .Select(line => line.Split(' ', 2))
            .ToDictionary(parts => parts[1].Trim(), parts => int.Parse(parts[0], CultureInfo.InvariantCulture));

        if (Repository.IsRewriting)
        {
            Rewrite(path, comments, allowed, tooLarge);
        }

        var findings = new List<string>();
        foreach (var (name, size) in tooLarge.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (!allowed.TryGetValue(name, out var most))
            {
                findings.Add($"{name}: {size}");
            }
            else if (size > most)
            {
                findings.Add($"{name}: {size}; {path} allows {most}, and an entry may not grow");
            }
            else if (size < most && !Repository.IsRewriting)
            {
                findings.Add($"{name}: {size}, better than the {most} in {path}: lower it (KVORUM_REWRITE=1)");
            }
        }

        if (!Repository.IsRewriting)
        {
            findings.AddRange(allowed.Keys.Where(name => !tooLarge.ContainsKey(name)).Order(StringComparer.Ordinal)
                .Select(name => $"{name}: within the rule now: remove it from {path} (KVORUM_REWRITE=1)"));
        }

        Findings.MustBeEmpty(findings, rule);
    }

    private static void Rewrite(
        string path, List<string> comments, Dictionary<string, int> allowed, IReadOnlyDictionary<string, int> tooLarge)
    {
        var text = new StringBuilder();
        comments.ForEach(comment => text.Append(comment).Append('\n'));
        foreach (var (name, most) in allowed.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (tooLarge.TryGetValue(name, out var size))
            {
                text.Append(CultureInfo.InvariantCulture, $"{Math.Min(size, most)} {name}\n");
            }
        }

        Repository.Write(path, text.ToString());
    }
}
