using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Kvorum.Cli.Commands;

/// <summary>Options that take a number in a range, refused in words of ours.</summary>
internal static class Numbers
{
    public static Option<long?> Option(string name, long min, long max) => new(name)
    {
        CustomParser = result => Parse(result, name, min, max),
    };

    private static long? Parse(ArgumentResult result, string name, long min, long max)
    {
        var text = result.Tokens is [var token] ? token.Value : "";
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number >= min && number <= max)
        {
            return number;
        }

        result.AddError(max == long.MaxValue
            ? $"{name}: expected a whole number of {min} or more, found '{text}'."
            : $"{name}: expected a whole number from {min} to {max}, found '{text}'.");
        return null;
    }
}
